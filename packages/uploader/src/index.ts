export { startDaemon, type Daemon, type DaemonDeps } from './daemon.js';
export { Journal } from './journal.js';
export { runCommand } from './main.js';
export { loadTask, type Settings, type Task } from './options.js';
