// The page of 5,000 nodes and 150,000 pods that change: it is there, it scrolls, and no task of it holds the browser up.
import { ok } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { biggestCluster, writeDump } from '../../../bench/big-dump.ts'
import { startBallast } from './ballast-process.ts'
import { desk, openBrowser } from './browser.ts'

const soonMs = 120_000
const longestTaskMs = 200
const longestTable = 80

const measuring = `(() => {
  window.tasks = []
  new PerformanceObserver(list => { for (const entry of list.getEntries()) window.tasks.push(entry.duration) }).observe({ type: 'longtask' })
})()`

/** The twin of such a cluster, its page beside it as of any live cluster, and somebody who looks at its nodes. */
export async function judgeManyNodes(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-many-nodes-'))
  using _directory = { [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) }
  const dump = join(directory, 'cluster.json')
  writeDump(dump, biggestCluster)
  await using twin = startBallast(['twin', '--cluster', dump, '--kubeconfig-out', '{directory}/kubeconfig'])
  await twin.until(/kubeconfig/)
  await using dashboard = startBallast(['dashboard', '--kubeconfig', `${twin.directory}/kubeconfig`, '--port', '0'])
  const [, url = ''] = await dashboard.until(/(http:\/\/127\.0\.0\.1:\d+\/)/)
  await using own = await openBrowser()
  await using sight = await own.open(desk)
  const { page, complaints } = sight
  await page.goto(url)
  await page
    .getByText(/5000 nodes|5,000 nodes/)
    .first()
    .waitFor({ timeout: soonMs })
  await page
    .getByText(/150,000 pods/)
    .first()
    .waitFor({ timeout: soonMs })
  await page.getByRole('button', { name: 'Table' }).click()
  const rows = page.locator('main table tbody tr')
  await rows.first().waitFor({ timeout: soonMs })
  await page.evaluate(measuring)
  // The section around it is a region of that name, too; only this one scrolls.
  await page.locator('main .widgets-table-region').focus()
  for (let turn = 0; turn < 40; turn++) await page.keyboard.press('PageDown')
  await page.keyboard.press('End')
  // The head is row 1.
  // End is known to stop up to fourteen rows early (README): the last screen is what is held here.
  await page.locator(`main tr[aria-rowindex="${biggestCluster.nodes - 5}"]`).waitFor({ timeout: soonMs })
  const count: number = await page.evaluate("document.querySelectorAll('tr').length")
  ok(count > 10 && count <= longestTable, `${count} rows in the document`)
  const tasks: readonly number[] = await page.evaluate('window.tasks')
  const longest = Math.max(0, ...tasks)
  ok(longest <= longestTaskMs, `a task of ${Math.round(longest)} ms`)
  ok(complaints.length === 0, complaints.join('\n'))
  return `${count} rows in the document, longest task ${Math.round(longest)} ms while scrolling to the last of 5,000 nodes`
}
