// The page when its server goes and comes, and how soon it is there.
import { deepStrictEqual, ok } from 'node:assert'
import type { Request } from 'playwright-core'
import { startBallast, startExample } from './ballast-process.ts'
import { desk, openBrowser } from './browser.ts'

const soonMs = 120_000

/** The server is killed under an open page, and started again at the same address: the page says so, keeps what it had, and lives again. */
export async function judgeReconnect(): Promise<string> {
  await using own = await openBrowser()
  await using sight = await own.open()
  const { page } = sight
  const first = await startExample()
  const { port } = new URL(first.url)
  await using stack = new AsyncDisposableStack()
  stack.use(first)
  await first.until(/Press Enter to approve/)
  await page.goto(first.url)
  const verdict = page.getByText('talos00 has 93% of its CPU requested').first()
  await verdict.waitFor({ timeout: soonMs })
  await page.getByText('live', { exact: true }).or(page.getByText('● live')).first().waitFor({ timeout: soonMs })
  await first.stop()
  await page
    .getByText(/Not connected since/)
    .first()
    .waitFor({ timeout: soonMs })
  ok(await verdict.isVisible(), 'what was known is still shown')
  const button = page.getByRole('button', { name: 'Run all' })
  ok((await button.count()) === 0 || (await button.first().isDisabled()), 'nothing can be asked of a server that is not there')
  const second = stack.use(startBallast(['up', '--ask', '--port', port, '--kubeconfig-out', '{directory}/kubeconfig']))
  await second.until(/Press Enter to approve/)
  await page
    .getByText(/Not connected since/)
    .first()
    .waitFor({ state: 'hidden', timeout: 2 * soonMs })
  await page.getByText('live', { exact: true }).or(page.getByText('● live')).first().waitFor({ timeout: soonMs })
  await page.getByText('It is waiting for you; nothing has been moved.').first().waitFor({ timeout: soonMs })
  return 'the server gone: said, values kept, no action; the server back: live again, with its values'
}

interface Times {
  readonly paintMs: number
  readonly shift: number
  readonly longestTaskMs: number
}

/** Watches from the beginning what the browser measures. */
const measuring = `(() => {
  window.measured = { shift: 0, longestTaskMs: 0 }
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.measured.shift += entry.value
  }).observe({ type: 'layout-shift', buffered: true })
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) window.measured.longestTaskMs = Math.max(window.measured.longestTaskMs, entry.duration)
  }).observe({ type: 'longtask', buffered: true })
})()`

const times = `({
  paintMs: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN,
  ...window.measured,
})`

const paintLimitMs = 1_000
const scriptLimit = 150 * 1024
const shiftLimit = 0.02

/** First paint, layout shift and what is loaded, of five fresh profiles: the median, and the soonest paint, since a busy machine only delays it. */
export async function judgeStart(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  const seen: Times[] = []
  let scripts = 0
  for (let turn = 0; turn < 5; turn++) {
    await using sight = await own.open(desk)
    const { page } = sight
    await page.addInitScript(measuring)
    const sizes: Promise<number>[] = []
    const onFinished = (request: Request) => {
      if (request.resourceType() === 'script') sizes.push(request.sizes().then(({ responseBodySize }) => responseBodySize))
    }
    page.on('requestfinished', onFinished)
    await page.goto(ballast.url)
    await page.getByText('live', { exact: true }).or(page.getByText('● live')).first().waitFor({ timeout: soonMs })
    seen.push(await page.evaluate<Times>(times))
    // What ends later nobody waits for, and its size is not to be had once the page is gone.
    page.off('requestfinished', onFinished)
    scripts = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
  }
  const median = (of: (times: Times) => number) => seen.map(of).toSorted((a, b) => a - b)[2] ?? Number.NaN
  const paintMs = Math.min(...seen.map(one => one.paintMs))
  const shift = median(one => one.shift)
  ok(paintMs <= paintLimitMs, `first paint after ${paintMs} ms`)
  ok(shift <= shiftLimit, `layout shift of ${shift}`)
  ok(scripts > 0 && scripts <= scriptLimit, `${scripts} bytes of script`)
  const { length } = seen
  deepStrictEqual(length, 5)
  return `first paint ${Math.round(paintMs)} ms, layout shift ${shift.toFixed(3)}, longest task ${Math.round(median(one => one.longestTaskMs))} ms, ${(scripts / 1024).toFixed(1)} KB of script on the wire`
}
