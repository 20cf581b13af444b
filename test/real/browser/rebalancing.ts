// Rebalancing over time in the browser: a plan as it ran, nodes that are chosen, without JavaScript, on a phone, by keyboard, with text of others,
// and of 5,000 nodes.
import { deepStrictEqual, ok } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { builtIn } from '#kube/objects/resource.ts'
import { biggestCluster, writeDump } from '../../../bench/big-dump.ts'
import { startBallast, startExample } from './ballast-process.ts'
import { accessibilityFindings, desk, openBrowser, phone } from './browser.ts'
import { openTwinApi } from './twin-api.ts'

const soonMs = 120_000
const runMs = 240_000
const hostile = '<img src=x onerror="window.broken=1">'

const rows = (page: Page) => page.locator('main .drawn-lines-row')
const nodesOf = async (page: Page) => await page.locator('main .drawn-lines-row .drawn-node-name').allInnerTexts()
const wordsOf = async (page: Page) => (await page.locator('main').innerText()).replaceAll(/\s+/g, ' ')

/** The example's plan of 15 moves as it ran, looked at in every way that the page has. */
export async function judgeRebalancing(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using twin = await openTwinApi(`${ballast.directory}/kubeconfig`)
  await twin.create(
    { ...builtIn.events },
    {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'of-a-strategy', namespace: 'media' },
      eventTime: new Date().toISOString().replace('Z', '000Z'),
      type: 'Normal',
      action: 'Descheduled',
      reason: hostile,
      note: 'pod eviction from talos01 node by sigs.k8s.io/descheduler',
      reportingController: 'sigs.k8s.io.descheduler',
      reportingInstance: 'descheduler-0',
      regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'media', name: 'radarr-0', uid: 'u-1' },
    },
  )
  await using own = await openBrowser()
  await using sight = await own.open(desk)
  const { page, complaints } = sight
  await page.goto(ballast.url)
  await page.getByText('It is waiting for you; nothing has been moved.').first().waitFor({ timeout: soonMs })
  await page.getByRole('region', { name: 'Twin' }).getByRole('button', { name: '60×', exact: true }).click()
  await page.getByRole('button', { name: '60×', exact: true, pressed: true }).waitFor({ timeout: soonMs })
  await page.locator('main').getByRole('button', { name: 'Run all' }).first().click()
  await page.locator('main').getByText('All 2 goals are met.').first().waitFor({ timeout: runMs })

  await page.keyboard.press('g')
  await page.keyboard.press('r')
  await page.getByRole('heading', { level: 1, name: 'Rebalancing' }).waitFor({ timeout: soonMs })
  await page.getByText('15 landed where they were meant').waitFor({ timeout: soonMs })
  deepStrictEqual(await nodesOf(page), ['talos00', 'talos01', 'talos02-gpu', 'talos03'])
  deepStrictEqual(await page.locator('main .drawn-result-expected').count(), 15)
  // The last of the hour comes with the next sample; it is less than 45% as soon as workloads rest that are scaled to zero.
  await page
    .locator('main svg.drawn-line')
    .and(page.getByLabel(/4[0-5]% at last/))
    .first()
    .waitFor({ timeout: soonMs })
  const [name = ''] = await page
    .locator('main svg.drawn-line')
    .evaluateAll(drawn => drawn.map(one => one.getAttribute('aria-label') ?? ''))
  ok(/^talos00, last hour: CPU requested 93% at first, 4[0-5]% at last \(4[0-5]% to 93%\);.*\d+ pods left$/.test(name), name)
  ok((await wordsOf(page)).includes(hostile), 'text of others is shown as text')
  deepStrictEqual(await page.evaluate('window.broken'), undefined)
  await judgeChoosing(page)
  deepStrictEqual(await accessibilityFindings(page), [])

  await using withoutScript = await own.open({ ...desk, javaScriptEnabled: false })
  const plain = withoutScript.page
  await plain.goto(`${ballast.url}rebalancing`)
  for (const wanted of ['15 landed where they were meant', 'Landing hit rate', '100.0%', 'talos02-gpu', hostile])
    ok((await wordsOf(plain)).includes(wanted), `without JavaScript there is no ${wanted}`)
  await plain.getByRole('textbox', { name: 'Nodes' }).fill('talos03')
  await plain.getByRole('button', { name: 'Show' }).click()
  await plain.getByRole('link', { name: 'Last 48 hours' }).click()
  await plain.waitForURL(/span=days/)
  deepStrictEqual(await nodesOf(plain), ['talos03'])

  await using narrow = await own.open({ ...phone, colorScheme: 'dark' })
  await narrow.page.goto(`${ballast.url}rebalancing`)
  await narrow.page.getByText('15 landed where they were meant').waitFor({ timeout: soonMs })
  deepStrictEqual(await narrow.page.evaluate('document.documentElement.scrollWidth'), 400)
  deepStrictEqual(await accessibilityFindings(narrow.page), [])
  deepStrictEqual([...complaints, ...withoutScript.complaints, ...narrow.complaints], [])
  return '15 moves against what happened, chosen nodes, 48 hours, without JavaScript, on a phone; axe finds nothing'
}

/** By keyboard: what is typed stays while the page goes on, and then is asked for. */
async function judgeChoosing(page: Page): Promise<void> {
  const field = page.getByRole('textbox', { name: 'Nodes' })
  await field.focus()
  await page.keyboard.type('talos03, talos9')
  const axis = page.locator('main .drawn-axis')
  const before = await axis.innerText()
  // At this pace a step of the lines takes half a second.
  await axis.filter({ hasNotText: before }).waitFor({ timeout: soonMs })
  deepStrictEqual(await field.inputValue(), 'talos03, talos9', 'what is being typed stays')
  await page.keyboard.press('Enter')
  await page.waitForURL(/nodes=talos03/)
  await page.getByText('There is no node talos9.').waitFor({ timeout: soonMs })
  deepStrictEqual(await nodesOf(page), ['talos03'])
  const table = page.getByText('The same as a table')
  await table.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('columnheader', { name: 'Pods that left and came' }).waitFor({ timeout: soonMs })
  await page.getByRole('link', { name: 'Those that matter most' }).focus()
  await page.keyboard.press('Enter')
  await rows(page).nth(3).waitFor({ timeout: soonMs })
}

const drawnMost = 12
const longestTaskMs = 200

const measuring = `(() => {
  window.tasks = []
  new PerformanceObserver(list => { for (const entry of list.getEntries()) window.tasks.push(entry.duration) }).observe({ type: 'longtask' })
})()`

/** In a cluster of 5,000 nodes twelve are drawn, one that is asked for instead, and no task of it holds the browser up. */
export async function judgeRebalancingOfMany(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-many-lines-'))
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
  await page.goto(`${url}rebalancing`)
  await page.getByText(/The 12 of 5000 nodes/).waitFor({ timeout: soonMs })
  await page.evaluate(measuring)
  deepStrictEqual(await rows(page).count(), drawnMost)
  const answer = await page.request.get(`${url}rebalancing`, { headers: { accept: 'text/html' } })
  const bytes = (await answer.body()).length
  const [first = '', second = ''] = await nodesOf(page)
  await page.getByRole('textbox', { name: 'Nodes' }).fill(`${second},${first}`)
  await page.keyboard.press('Enter')
  await page.waitForURL(/nodes=/)
  await rows(page).nth(2).waitFor({ state: 'detached', timeout: soonMs })
  // What was drawn goes before its answer comes.
  await rows(page).nth(1).waitFor({ timeout: soonMs })
  deepStrictEqual(await nodesOf(page), [second, first])
  const tasks: readonly number[] = await page.evaluate('window.tasks')
  const longest = Math.max(0, ...tasks)
  ok(longest <= longestTaskMs, `a task of ${Math.round(longest)} ms`)
  deepStrictEqual(complaints, [])
  return `${drawnMost} of 5,000 nodes in ${Math.round(bytes / 1024)} KB of HTML, longest task ${Math.round(longest)} ms`
}
