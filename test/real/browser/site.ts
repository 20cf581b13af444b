// The site of the documents, as any static server serves it below a path: found by search, read in the dark and on a phone.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import type { Page } from 'playwright-core'
import { buildSite } from '../../../scripts/site/build-site.ts'
import { accessibilityFindings, desk, openBrowser, phone } from './browser.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const base = '/docs/'
const soonMs = 60_000
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
}

/** Files and nothing else, as of a bucket: no endings are guessed, no page is written. */
async function served(directory: string): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(({ url = '' }, response) => {
    const { pathname } = new URL(url, 'http://site')
    const path = decodeURIComponent(pathname).replace(base, '')
    try {
      const content = readFileSync(join(directory, path === '' ? 'index.html' : path))
      response.writeHead(200, { 'Content-Type': types[extname(path === '' ? '.html' : path)] ?? 'text/html' }).end(content)
    } catch {
      // What is not a file is not there.
      response.writeHead(404).end()
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const close = () => new Promise<void>(resolve => server.close(() => resolve()))
  return {
    url: `http://127.0.0.1:${address.port}${base}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await close()
    },
  }
}

const wide = async (page: Page): Promise<readonly [number, number]> =>
  await page.evaluate('[document.documentElement.scrollWidth, window.innerWidth]')

export async function judgeSite(): Promise<string> {
  await using ending = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-site-'))
  ending.defer(() => rmSync(directory, { recursive: true, force: true }))
  const files = await buildSite({ root, directory, base })
  const site = ending.use(await served(directory))
  const own = ending.use(await openBrowser())

  const sight = ending.use(await own.open(desk))
  const { page, complaints } = sight
  await page.goto(site.url)
  await page.getByRole('link', { name: 'Hold new nodes', exact: true }).click()
  await page.getByRole('heading', { level: 1, name: /^Readiness: nodes held/ }).waitFor({ timeout: soonMs })
  match(page.url(), /\/docs\/readiness\.html$/)
  // A heading's anchor is the one that code hosts make of it.
  await page.goto(`${site.url}install.html#the-command-and-the-image`)
  await page.getByRole('heading', { name: 'The command and the image' }).waitFor({ timeout: soonMs })
  await page.keyboard.press('Control+k')
  await page.getByRole('searchbox').fill('the plan as changes to your manifests')
  await page.getByRole('option').first().waitFor({ timeout: soonMs })
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/docs\/simulate\.html#the-plan-as-changes-to-your-manifests$/, { timeout: soonMs })
  const light = await accessibilityFindings(page)

  const night = ending.use(await own.open({ ...desk, colorScheme: 'dark' }))
  await night.page.goto(`${site.url}arbiter.html`)
  const colour = 'getComputedStyle(document.body).backgroundColor'
  const dark = await night.page.evaluate(colour)
  await night.page.getByRole('switch').first().click()
  await night.page.waitForFunction(`${colour} !== '${dark}'`, undefined, { timeout: soonMs })

  const small = ending.use(await own.open(phone))
  const overflowing: string[] = []
  for (const { path } of files.filter(file => file.path.endsWith('.html'))) {
    await small.page.goto(`${site.url}${path}`)
    const [scrolled, shown] = await wide(small.page)
    if (scrolled > shown) overflowing.push(`${path}: ${scrolled} of ${shown}`)
  }
  deepStrictEqual(overflowing, [])
  await small.page.goto(`${site.url}twin.html`)
  await small.page.locator('.VPLocalNav button.menu').click()
  await small.page.getByRole('link', { name: 'What if', exact: true }).click()
  await small.page.getByRole('heading', { level: 1, name: /^What if/ }).waitFor({ timeout: soonMs })

  deepStrictEqual([...complaints, ...night.complaints, ...small.complaints], [])
  ok(light.length === 0, light.join('\n'))
  const index = files.filter(({ path }) => path.includes('localSearchIndex'))
  strictEqual(index.length, 1)
  return `${files.length} files; every page fits a phone; search in one file of ${((readFileSync(index[0]?.file ?? '').length ?? 0) / 1e3).toFixed(0)} kB`
}
