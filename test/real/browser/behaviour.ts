// How a page behaves beyond what it shows: tabs that share, a tab that nobody sees, a key that is taken back, a twin that begins anew, a
// server of another version, a browser that keeps nothing.
import { deepStrictEqual, ok } from 'node:assert'
import type { BrowserContext, Page, Request } from 'playwright-core'
import { contractSchema } from '#dashboard/contract-names.ts'
import { startExample } from './ballast-process.ts'
import { openBrowser } from './browser.ts'

const soonMs = 120_000
const hiddenKeepsMs = 60_000

/** How many streams the pages of a browser have open. */
function countStreams(context: BrowserContext): () => number {
  const open = new Set<Request>()
  const isStream = (url: string) => new URL(url).pathname === '/api/v1/stream'
  context.on('request', request => void (isStream(request.url()) && open.add(request)))
  context.on('requestfinished', request => void open.delete(request))
  context.on('requestfailed', request => void open.delete(request))
  // Requests that a page had open when it was closed are not reported any more.
  return () => [...open].filter(request => !request.frame().page().isClosed()).length
}

async function until(what: string, isSo: () => boolean | Promise<boolean>, page: Page): Promise<void> {
  const startMs = performance.now()
  while (!(await isSo())) {
    ok(performance.now() - startMs < soonMs, `not so: ${what}`)
    await page.waitForTimeout(50)
  }
}

const live = (page: Page) => page.locator('.frame-link-live').waitFor({ timeout: soonMs })

/** What a browser tells a page that is covered or seen again. */
const seen = (isSeen: boolean) => `(() => {
  Object.defineProperty(document, 'visibilityState', { value: '${isSeen ? 'visible' : 'hidden'}', configurable: true })
  Object.defineProperty(document, 'hidden', { value: ${!isSeen}, configurable: true })
  document.dispatchEvent(new Event('visibilitychange'))
})()`

/** Three tabs have one stream, and each hears what it looks at; who holds it goes, and another takes over; the last, hidden, closes it. */
export async function judgeTabs(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  await using sight = await own.open()
  const { context, page: first, complaints } = sight
  const streams = countStreams(context)
  await first.goto(ballast.url)
  await live(first)
  const [second, third] = [await context.newPage(), await context.newPage()]
  await second.goto(`${ballast.url}permits`)
  await third.goto(`${ballast.url}workload/media/Deployment/sonarr`)
  await second.getByRole('link', { name: 'KedaManaged' }).first().waitFor({ timeout: soonMs })
  await third.getByRole('heading', { level: 1, name: /sonarr/ }).waitFor({ timeout: soonMs })
  for (const tab of [second, third]) await live(tab)
  await until('three tabs have one stream', () => streams() === 1, first)
  await first.close()
  await until('two tabs have one stream', () => streams() === 1, second)
  for (const tab of [second, third]) await live(tab)
  await second.close()
  await until('one tab has one stream', () => streams() === 1, third)
  await live(third)

  const alone = await context.newPage()
  await third.close()
  await alone.clock.install()
  await alone.goto(ballast.url)
  await live(alone)
  await alone.evaluate(seen(false))
  deepStrictEqual(streams(), 1, 'a tab that has just been hidden keeps its stream')
  await alone.clock.fastForward(hiddenKeepsMs + 1_000)
  await until('a tab that was hidden for a minute has none', () => streams() === 0, alone)
  await alone.clock.fastForward(hiddenKeepsMs)
  deepStrictEqual(streams(), 0, 'it does not come back by itself')
  await alone.evaluate(seen(true))
  await live(alone)
  await until('a tab that is seen again has one', () => streams() === 1, alone)
  deepStrictEqual(complaints, [])
  return 'three tabs share one stream and hand it over; hidden for a minute there is none, seen again it is back'
}

/** Shift+P pauses from any page, and for a while it is taken back; a reset begins anew under the page, which goes on. */
export async function judgeUndoAndReset(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  await using sight = await own.open()
  const { page, complaints } = sight
  await page.goto(ballast.url)
  const plan = page.getByRole('link', { name: /^talos-[0-9a-f]+$/ })
  await live(page)
  await page.getByRole('button', { name: 'Run all' }).click()
  await page.getByRole('button', { name: 'Pause', exact: true }).first().waitFor({ timeout: soonMs })
  await plan.click()
  await page.getByRole('heading', { level: 1, name: /^Plan talos-/ }).waitFor({ timeout: soonMs })
  await page.keyboard.press('Shift+P')
  const phase = page.locator('.plan-phase')
  await phase.getByText('paused', { exact: true }).waitFor({ timeout: soonMs })
  await page.getByRole('button', { name: 'Undo' }).click()
  await phase.getByText('running', { exact: true }).waitFor({ timeout: soonMs })

  const epoch = async () => (await page.request.get(`${ballast.url}api/v1/version`)).headers()['ballast-revision']?.split('.')[0]
  const before = await epoch()
  await page.goto(`${ballast.url}twin`)
  await page.evaluate('window.isTheSamePage = true')
  await page.getByRole('button', { name: 'Reset' }).click()
  await until('the twin has a new epoch', async () => (await epoch()) !== before, page)
  await page.keyboard.press('g')
  await page.keyboard.press('o')
  await page.getByText('It is waiting for you; nothing has been moved.').waitFor({ timeout: soonMs })
  await live(page)
  ok(await page.evaluate('window.isTheSamePage === true'), 'the page was loaded anew')
  deepStrictEqual(complaints, [])
  return 'paused by a key and taken back; a reset brings a new epoch, and the page goes on'
}

/** A server of another version is said and not guessed at; a browser that keeps nothing and shares nothing shows everything all the same. */
export async function judgeOddBrowsers(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  {
    await using sight = await own.open()
    const { page } = sight
    const hello = { epoch: 'e9', mode: 'twin', schema: contractSchema + 1, now: '2026-01-01T00:00:00Z', speed: 1, tickMs: 10_000 }
    const body = `id: e9.1\nevent: hello\ndata: ${JSON.stringify({ ...hello, resumed: false })}\n\n`
    await page.route('**/api/v1/stream*', route => route.fulfill({ contentType: 'text/event-stream', body }))
    await page.goto(ballast.url)
    await page.getByText('A new version is running.').waitFor({ timeout: soonMs })
    await page.unroute('**/api/v1/stream*')
    await page.getByRole('button', { name: 'Reload' }).click()
    await live(page)
  }
  await using sight = await own.open()
  const { page, complaints } = sight
  await page.addInitScript(`
    Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('refused', 'SecurityError') } })
    delete Navigator.prototype.locks
  `)
  await page.goto(ballast.url)
  await live(page)
  await page.keyboard.press('t')
  await page.locator('html[data-theme]').waitFor({ state: 'attached', timeout: soonMs })
  await page.getByLabel('Times in').selectOption('UTC')
  await page.getByText('93%').first().waitFor({ timeout: soonMs })
  deepStrictEqual(complaints, [])
  return 'another version is said, and a reload mends it; without storage and locks the page lives'
}
