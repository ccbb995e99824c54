/** Debian's Chromium with one page of ours and hls.js beside it. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { chromium, type Page } from 'playwright-core';
import { serveStatic } from './static-server.js';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];

export interface PageOptions {
  html: string;
  /** What the page finds behind `#`, as JSON. */
  parameters: unknown;
  /** What browsers do by default; `ignored` plays from stores that allow no other origin. */
  crossOrigin?: 'enforced' | 'ignored' | undefined;
}

/** Opens it for as long as it is used. @throws Error when there is no browser */
export async function withPage<T>(options: PageOptions, use: (page: Page) => Promise<T>): Promise<T> {
  const script = createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js');
  const server = await serveStatic({
    pages: {
      '/': { type: 'text/html; charset=utf-8', text: options.html },
      '/hls.js': { type: 'text/javascript', text: await readFile(script, 'utf8') },
    },
  });
  const ignored = options.crossOrigin === 'ignored' ? ['--disable-web-security'] : [];
  try {
    const browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      headless: true,
      args: [...FLAGS, ...ignored],
    });
    try {
      const page = await browser.newPage({ viewport: { width: 640, height: 360 } });
      await page.goto(`${server.url}#${encodeURIComponent(JSON.stringify(options.parameters))}`);
      return await use(page);
    } finally {
      await browser.close();
    }
  } finally {
    await server.close();
  }
}
