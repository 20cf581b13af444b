// The story of the example on the page, from before to after, as somebody sees it who has typed one command.
import { deepStrictEqual, ok } from 'node:assert'
import { startExample } from './ballast-process.ts'
import { openBrowser } from './browser.ts'

const soonMs = 120_000
const storyMs = 240_000

/** Opens the page, reads what is wrong, looks at the plan, tries one move, pauses, runs the rest and reads that all is well. */
export async function judgeStory(): Promise<string> {
  await using ballast = await startExample('--speed', '10')
  await using own = await openBrowser()
  await using sight = await own.open()
  const { page, complaints } = sight
  const main = page.locator('main')
  await page.goto(ballast.url)
  const says = async (text: string, ms = soonMs) => {
    await main.getByText(text).first().waitFor({ timeout: ms })
  }
  await says('talos00 has 93% of its CPU requested; the goal is at most 70%.')
  await says('A plan of 15 moves reaches both goals. It is waiting for you; nothing has been moved.')
  await main.getByRole('link', { name: 'See the plan' }).first().click()
  await page.getByRole('heading', { level: 1, name: /^Plan talos-/ }).waitFor({ timeout: soonMs })
  await says('15 moves, the fewest that keep the margins (bound 14.63).')
  await main.getByRole('button', { name: 'One move' }).click()
  await main
    .getByText(/^done ●/)
    .first()
    .waitFor({ timeout: soonMs * 2 })
  await main.getByRole('button', { name: 'Resume' }).waitFor({ timeout: soonMs })
  const done = await main.getByText(/^done ●/).count()
  deepStrictEqual(done, 1, 'one move was asked for')
  await main.getByRole('button', { name: 'Resume' }).click()
  await main.getByRole('button', { name: 'Pause' }).waitFor({ timeout: soonMs })
  await main
    .getByText(/^done ●/)
    .nth(14)
    .waitFor({ timeout: storyMs })
  await page.getByRole('navigation').getByRole('link', { name: 'Overview' }).click()
  await says('All 2 goals are met.', soonMs * 2)
  const text = (await main.innerText()).replaceAll(/\s+/g, ' ')
  // Workloads that rest by then take less: 43 or 45.
  ok(/talos00.*4[35]%/.test(text) && /talos03.*31%/.test(text), text)
  await ballast.until(/every goal is met: 15 moves/)
  deepStrictEqual(complaints, [])
  return '15 moves, one of them alone, then the rest; no complaint of the browser'
}
