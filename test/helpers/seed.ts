/** Property tests repeat: the same random values in every run, unless FC_SEED asks for others. */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['FC_SEED'] ?? 1) });
