// A plan that is played: by keyboard, with and without motion, on a phone, as it went, as a file without a network, and of 1,000 and 5,000 nodes by pools.
import { deepStrictEqual, ok } from 'node:assert'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { startBallast, startExample } from './ballast-process.ts'
import { accessibilityFindings, desk, openBrowser, phone } from './browser.ts'

const soonMs = 120_000
const runMs = 240_000
/** A task of the browser's main thread, in milliseconds. */
const longestTaskMs = 200

const what = (page: Page) => page.locator('.replay-what')
/** Notes which tile begins to move, by which property. */
const watching = `(() => {
  window.travelled = []
  document.addEventListener('transitionrun', ({ target, propertyName }) => {
    const tile = target.closest('[data-tile]')
    if (tile !== null) window.travelled.push(tile.getAttribute('data-tile') + ' ' + propertyName)
  })
})()`

async function widthOf(page: Page): Promise<number> {
  return await page.evaluate('document.documentElement.scrollWidth')
}

/** The example's plan on paper, by keyboard; then as it went; then without motion, and on a phone. */
export async function judgeReplay(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  await using sight = await own.open(desk)
  const { page, complaints } = sight
  await page.goto(`${ballast.url}plan`)
  await page
    .locator('main')
    .getByRole('link', { name: /^talos-/ })
    .first()
    .click()
  await page.getByRole('link', { name: 'Replay' }).click()
  await page.getByRole('button', { name: 'Run' }).waitFor({ timeout: soonMs })
  const replay = page.url()
  deepStrictEqual(await page.locator('[data-tile]').count(), 124)

  await page.evaluate(watching)
  await page.getByRole('button', { name: 'Run' }).focus()
  await page.keyboard.press('Enter')
  await what(page).getByText('Move 1 of 15').waitFor({ timeout: soonMs })
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Run' }).waitFor({ timeout: soonMs })
  const travelled: readonly string[] = await page.evaluate('window.travelled')
  ok(travelled.includes('m01 transform'), `what travelled: ${travelled.join(', ')}`)

  await page.getByRole('slider', { name: 'Steps' }).focus()
  await page.keyboard.press('End')
  await page.getByText('After: 15 moves are made.').waitFor({ timeout: soonMs })
  await page.keyboard.press('Home')
  await page.getByText('Before: 15 moves are planned').waitFor({ timeout: soonMs })
  await page.getByRole('listbox').focus()
  await page.keyboard.press('End')
  await page.keyboard.press('Enter')
  await page.locator('.replay-proof').waitFor({ timeout: soonMs })
  await page.locator('[data-tile="m02"]').click({ force: true })
  await page.locator('.replay-proof').getByText('fits: ').waitFor({ timeout: soonMs })
  deepStrictEqual(await accessibilityFindings(page), [])

  await page.getByRole('region', { name: 'Twin' }).getByRole('button', { name: '60×', exact: true }).click()
  await page.goto(replay.replace('/replay', ''))
  await page.locator('main').getByRole('button', { name: 'Run all' }).click()
  await page.locator('main').getByText('Succeeded after 15 of 15 moves').first().waitFor({ timeout: runMs })
  await page.goto(replay)
  await page.getByRole('slider', { name: 'Steps' }).focus()
  await page.keyboard.press('ArrowRight')
  await what(page)
    .getByText(/went from talos\d\d to talos\d\d, Ready after/)
    .waitFor({ timeout: soonMs })
  deepStrictEqual(complaints, [])

  await using still = await own.open({ ...phone, reducedMotion: 'reduce', colorScheme: 'dark' })
  await still.page.goto(replay)
  await still.page.getByRole('slider', { name: 'Steps' }).focus()
  await still.page.keyboard.press('ArrowRight')
  const motion: string = await still.page.evaluate(
    'getComputedStyle(document.querySelector(\'[data-tile="m01"]\')).transitionDuration',
  )
  deepStrictEqual([motion, await widthOf(still.page)], ['0s', 400])
  deepStrictEqual(await accessibilityFindings(still.page), [])
  deepStrictEqual(still.complaints, [])
  return `a tile travelled; 15 moves on paper and as they went; a phone without motion`
}

/** Runs `ballast replay` to its end. */
async function written(...args: readonly string[]): Promise<string> {
  await using program = startBallast(['replay', ...args])
  const [line] = await program.until(/^.*\d+ of \d+ moves.*$/m)
  await program.until(/KiB/)
  return line
}

/** Files that are opened without a network: the example's, and 1,000 nodes by pools. */
export async function judgeReplayFiles(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-replay-'))
  using _folder = { [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
  const at = (name: string) => join(folder, name)
  await written('--cluster', 'examples/talos-homelab', '-o', at('small.html'))
  await written('--cluster', 'examples/talos-homelab', '-o', at('small.svg'))
  writeFileSync(at('plan.json'), JSON.stringify(widePlan))
  writeFileSync(at('cluster.json'), JSON.stringify({ kind: 'List', apiVersion: 'v1', items: wideCluster(1_000) }))
  const wide = await written(at('plan.json'), '--cluster', at('cluster.json'), '-o', at('wide.html'))
  await using own = await openBrowser()
  await using sight = await own.open({ ...desk, offline: true })
  const { page, complaints } = sight

  await page.goto(`file://${at('small.html')}`)
  await page.getByRole('button', { name: 'Run' }).click()
  await what(page).getByText('Move 1 of 15').waitFor({ timeout: soonMs })
  deepStrictEqual(await accessibilityFindings(page), [])

  await page.goto(`file://${at('wide.html')}`)
  deepStrictEqual(await page.locator('[data-box]').count(), 8)
  await page.locator('[data-box="pool-3"]').click({ force: true, position: { x: 5, y: 40 } })
  await page.getByRole('button', { name: 'All pools' }).waitFor({ timeout: soonMs })
  const inside = await page.locator('[data-box]').count()
  await page.getByRole('button', { name: 'All pools' }).click()
  await page.locator('[data-box="pool-3"]').waitFor({ timeout: soonMs })

  await page.goto(`file://${at('small.svg')}`)
  const animations: readonly number[] = await page.evaluate(
    'document.getAnimations().map(animation => animation.effect.getComputedTiming().duration)',
  )
  ok(animations.length > 15 && animations.every(duration => duration === 10_000), `animations of ${animations.join(', ')} ms`)
  await using still = await own.open({ ...desk, reducedMotion: 'reduce', offline: true })
  await still.page.goto(`file://${at('small.svg')}`)
  deepStrictEqual(await still.page.evaluate('document.getAnimations().length'), 0)
  deepStrictEqual([...complaints, ...still.complaints], [])
  return `files play without a network; ${animations.length} animations of ten seconds, none where motion is not wanted; ${wide.replace(/^\S+/, '1,000 nodes')}, ${inside} boxes in a pool`
}

/** One that moves pods between 5,000 nodes, on a page that a server sends: as pools, each of which can be looked into, and no task holds the browser up. */
export async function judgeReplayOfMany(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-replay-'))
  using _folder = { [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
  const dump = join(folder, 'cluster.json')
  writeFileSync(dump, JSON.stringify({ kind: 'List', apiVersion: 'v1', items: [...wideCluster(5_000), widePlan] }))
  await using twin = startBallast(['twin', '--cluster', dump, '--kubeconfig-out', '{directory}/kubeconfig'])
  await twin.until(/kubeconfig/)
  await using dashboard = startBallast(['dashboard', '--kubeconfig', `${twin.directory}/kubeconfig`, '--port', '0'])
  const [, url = ''] = await dashboard.until(/(http:\/\/127\.0\.0\.1:\d+\/)/)
  await using own = await openBrowser()
  await using sight = await own.open(desk)
  const { page, complaints } = sight
  await page.goto(`${url}plan/wide/replay`)
  await page.locator('[data-box="pool-3"]').waitFor({ timeout: soonMs })
  deepStrictEqual(await page.locator('[data-box]').count(), 8)
  await page.evaluate(`(() => {
    window.tasks = []
    new PerformanceObserver(list => { for (const { duration } of list.getEntries()) window.tasks.push(duration) }).observe({ type: 'longtask' })
  })()`)
  await page.getByRole('button', { name: 'Run' }).click()
  await what(page)
    .getByText(/Move \d+ of 300/)
    .waitFor({ timeout: soonMs })
  await page.getByRole('slider', { name: 'Steps' }).focus()
  await page.keyboard.press('End')
  await page.getByText('After: 300 moves are made.').waitFor({ timeout: soonMs })
  await page.locator('[data-box="pool-3"]').click({ force: true, position: { x: 5, y: 40 } })
  await page.getByRole('link', { name: 'all pools' }).waitFor({ timeout: soonMs })
  const inside = await page.locator('[data-box]').count()
  const tasks: readonly number[] = await page.evaluate('window.tasks')
  const longest = Math.max(0, ...tasks)
  ok(longest <= longestTaskMs, `a task of ${Math.round(longest)} ms`)
  deepStrictEqual(complaints, [])
  return `8 pools of 5,000 nodes and 100,000 pods, ${inside} boxes in one; longest task ${Math.round(longest)} ms`
}

/** Nodes in eight pools, twenty pods each. */
function wideCluster(count: number): readonly object[] {
  const status = {
    allocatable: { cpu: '8', memory: '32Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: 'True' }],
    nodeInfo: { kubeletVersion: 'v1.34.0' },
  }
  const made = { creationTimestamp: '2025-12-01T00:00:00Z' }
  const node = (at: number) => ({
    ...{ apiVersion: 'v1', kind: 'Node', spec: {}, status },
    metadata: { name: `n${at}`, uid: `n${at}`, labels: { 'karpenter.sh/nodepool': `pool-${at % 8}` }, ...made },
  })
  const pod = (at: number, on: number) => ({
    ...{ apiVersion: 'v1', kind: 'Pod', status: { phase: 'Running' } },
    metadata: { name: `p${on}-${at}`, namespace: 'shop', uid: `p${on}-${at}`, ...made },
    spec: {
      nodeName: `n${on}`,
      containers: [{ name: 'a', image: 'a', resources: { requests: { cpu: '300m', memory: '1Gi' } } }],
    },
  })
  const nodes = Array.from({ length: count }, (_, at) => at)
  return [...nodes.map(node), ...nodes.flatMap(on => Array.from({ length: 20 }, (_, at) => pod(at, on)))]
}

/** 300 moves, each to the next pool. */
const widePlan = {
  ...{
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePlan',
    metadata: { name: 'wide', creationTimestamp: '2025-12-19T13:03:20Z' },
  },
  spec: {
    ...{
      policyRef: { name: 'none' },
      snapshotHash: 'h',
      attempt: 0,
      outcome: 'met',
      method: 'greedy',
      purpose: 'move',
      landing: 'hold',
      approved: false,
    },
    moves: Array.from({ length: 300 }, (_, at) => ({
      ...{ id: `m${at}`, wave: at, from: `n${at}`, to: `n${at + 401}`, acceptable: [`n${at + 401}`], action: 'evict' },
      pod: { namespace: 'shop', name: `p${at}-0`, uid: `p${at}-0` },
      workload: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web', uid: 'w' },
      certificate: {
        ...{ snapshotHash: 'h', podUid: `p${at}-0`, requests: { cpu: 300, memory: 2 ** 30 }, from: `n${at}`, to: `n${at + 401}` },
        ...{
          freeBefore: { cpu: 2000 },
          freeAfter: { cpu: 1700 },
          filters: {},
          landing: { mode: 'hold', nodes: [`n${at + 401}`], totals: {} },
        },
      },
    })),
  },
}
