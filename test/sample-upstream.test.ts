// A fourth upstream, by rows alone: recognised, planned, swapped, and back, by the machine that swaps the others. And what each may cost.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import { openSwap } from '../src/migration/swap.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { findUpstreams } from '../src/upstreams/recognition.ts'
import { replaceable } from '../src/upstreams/upstreams.ts'
import { sampleInstallation, sampleUpstream } from './sample-upstream.ts'
import { SwapSite, users } from './swap-site.ts'

const root = join(import.meta.dirname, '../src')
const subject = { upstream: sampleUpstream, deployment: 'fencer' }
const everything = [...users, ...sampleInstallation()]
const states = ({ results }: { readonly results: readonly { id: string; state: string }[] }) =>
  results.map(({ id, state }) => `${id}: ${state}`)

test('two of image, name, labels and chart make it known', () => {
  const found = findUpstreams(sampleInstallation(), [sampleUpstream])
  expect(found).toMatchObject([{ workload: { kind: 'Deployment' }, version: '1.0.0', chart: 'fencer-1.0.0', isLive: true }])
})

test('plan: each step names its objects, and what only looks says what it sees', async () => {
  await using site = await SwapSite.start(everything, 'stand-in', subject)
  const place = { api: site.admin, clock: systemClock, capabilities: enabledCapabilities, upstream: sampleUpstream }
  const { swap, steps } = await openSwap({ ...place, signal: new AbortController().signal }, { holder: 'a test' })
  expect(steps.map(({ id }) => id)).toEqual(['check', 'convert', 'install', 'shadow', 'switch', 'remove', 'doctor'])
  const step = (id: string) => steps.find(one => one.id === id)
  expect(step('convert')?.command).toBe(
    'kubectl -n fences get deployment fencer -o yaml | ballast migrate values --from fencer -',
  )
  expect(step('switch')).toMatchObject({
    command: expect.stringContaining('kubectl -n fences scale deployment fencer --replicas=0'),
    proof: expect.stringContaining('Lease fencer-lock'),
    undo: expect.stringContaining('--replicas=2   # after capabilities.isolate.enabled: false'),
  })
  expect(await step('check')?.prove(swap)).toEqual({
    ok: true,
    said: 'Deployment fences/fencer is awake; Ballast is not installed yet',
  })
  expect((await step('convert')?.prove(swap))?.said).toContain('logLevel -> process.logLevel')
})

test('apply: it is gone and ours works by its settings; back: it is as it was', async () => {
  await using site = await SwapSite.start(everything, 'stand-in', subject)
  const forth = await site.apply()
  expect([forth.error, states(forth)]).toEqual([
    undefined,
    ['check', 'convert', 'install', 'shadow', 'switch', 'remove', 'doctor'].map(id => `${id}: done`),
  ])
  expect([site.upstreamReplicas, site.isEnabled, site.both]).toEqual([undefined, true, []])
  expect(site.find('configmaps', 'fencer-settings')).toBeUndefined()
  expect(textAt(site.find('configmaps', 'ballast-config'), 'data', 'config.yaml')).toContain('logLevel: "debug"')

  const back = await site.apply({ back: true })
  expect([back.error, states(back)]).toEqual([undefined, ['check: done', 'restore: done', 'switch: done']])
  expect([site.upstreamReplicas, site.isEnabled, site.both]).toEqual([2, false, []])
  expect(site.find('configmaps', 'fencer-settings')?.['data']).toEqual({ a: '1' })
})

test('what is lost of its flags stops the swap before anything is written', async () => {
  await using site = await SwapSite.start([...users, ...sampleInstallation(['--fence.colour=red'])], 'stand-in', subject)
  const { results, isDone } = await site.apply()
  expect(isDone).toBe(false)
  expect(results.at(-1)).toMatchObject({ id: 'convert', said: expect.stringContaining('fence.colour (ours has no colour)') })
  expect(site.find('deployments.apps', 'ballast-controller')).toBeUndefined()
})

const sources = (folder: string): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    // The table says where charts are to be had; nothing is swapped by it.
    .filter(file => !file.endsWith('chart-sources.ts'))
    .map(file => readFileSync(join(root, folder, file), 'utf8'))

/** An operator, an adapter and webhooks, each with flags of its own. */
const ofThreePrograms: ReadonlySet<string> = new Set(['keda'])

test.each(replaceable().map(({ replaced, capability }) => [replaced.id, capability] as const))(
  '%s costs at most 800 lines, or 1,400 for three programs in one',
  (id, capability) => {
    const lines = sources(`capabilities/${capability}/swap`).reduce((sum, text) => sum + text.split('\n').length - 1, 0)
    expect(lines).toBeGreaterThan(0)
    // Upstreams of one capability lie in one folder.
    const beside = replaceable().filter(one => one.capability === capability).length
    expect(lines).toBeLessThanOrEqual(ofThreePrograms.has(id) ? 1_400 : 800 * beside)
  },
)

test('the machine names no upstream', () => {
  const ids = replaceable().map(({ replaced }) => replaced.id)
  const named = sources('migration').flatMap(text => ids.filter(id => new RegExp(`\\b${id}\\b`, 'i').test(text)))
  expect(named).toEqual([])
})
