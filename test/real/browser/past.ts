// A link to a moment: what it shows is over, and looks so.
import { deepStrictEqual, ok } from 'node:assert'
import { until } from '../metrics/servers.ts'
import { startExample } from './ballast-process.ts'
import { openBrowser } from './browser.ts'

const soonMs = 120_000
const acting = /^(Run all|One move|Replan|Pause|Resume|Withdraw|Withdraw the rest|Freeze|Thaw)$/

/** The plan before its first move, looked at after it (D27): a banner, no action, no stream; and back to now. */
export async function judgePast(): Promise<string> {
  await using ballast = await startExample('--speed', '10')
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  await using sight = await own.open()
  const { page, complaints } = sight
  const main = page.locator('main')
  await page.goto(ballast.url)
  await main.getByRole('link', { name: 'See the plan' }).first().click()
  await main.getByRole('button', { name: 'One move' }).waitFor({ timeout: soonMs })
  const now = async () => (await page.request.get(`${ballast.url}api/v1/version`)).headers()['ballast-now'] ?? ''
  const before = await now()
  const at = new Date(Math.ceil(Date.parse(before) / 1_000) * 1_000).toISOString().replace('.000Z', 'Z')
  await until('that second to be over', async () => (await now()) > at)
  await main.getByRole('button', { name: 'One move' }).click()
  await main
    .getByText(/^done ●/)
    .first()
    .waitFor({ timeout: 2 * soonMs })

  const streams: string[] = []
  page.on('request', request => void (request.url().includes('/api/v1/stream') && streams.push(request.url())))
  const looked: string[] = []
  const plan = new URL(page.url()).pathname.slice(1)
  for (const path of [plan, 'plan', '', 'permits', 'workload/media/Deployment/sonarr', 'node/talos00', 'rebalancing', 'twin']) {
    await page.goto(`${ballast.url}${path}?at=${at}`)
    const banner = page.locator('.widgets-past')
    await banner.waitFor({ timeout: soonMs })
    await page.locator('main h1').first().waitFor({ timeout: soonMs })
    await main.locator('[aria-busy="true"]').first().waitFor({ state: 'detached', timeout: soonMs })
    await page.getByText(/Showing .*, .* ago/).waitFor({ timeout: soonMs })
    const text = (await banner.innerText()).replaceAll(/\s+/g, ' ')
    ok(/^Showing \d\d:\d\d:\d\d, \S+ ago · Back to now$/.test(text), text)
    const buttons = (await page.getByRole('button').allInnerTexts()).filter(name => acting.test(name.trim()))
    deepStrictEqual(buttons, [], `/${path} of the past has buttons that act`)
    looked.push(path)
  }
  deepStrictEqual(streams, [], 'the past needs no stream')
  await page.goto(`${ballast.url}${plan}?at=${at}`)
  await main.getByText('planned ○').nth(14).waitFor({ timeout: soonMs })
  deepStrictEqual(await main.getByText(/^done ●/).count(), 0)
  deepStrictEqual(complaints, [])

  await page.getByRole('button', { name: 'Back to now' }).click()
  await main
    .getByText(/^done ●/)
    .first()
    .waitFor({ timeout: soonMs })
  await main.getByRole('button', { name: 'Resume' }).waitFor({ timeout: soonMs })
  ok(streams.length > 0 && !page.url().includes('at='), 'the present is live')

  await page.goto(`${ballast.url}${plan}?at=2001-01-01T00:00:00Z`)
  await page
    .getByText(/Nothing is kept of 2001-01-01T00:00:00Z/)
    .first()
    .waitFor({ timeout: soonMs })
  return `${looked.length} pages as they were: banner, no action, no stream; back to now; what is not kept is said`
}
