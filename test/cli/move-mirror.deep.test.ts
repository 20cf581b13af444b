// `ballast migrate plan spegel` as users run it, on a twin over HTTPS: which commands it prints for which Spegel, and that it writes nothing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { installationValues, plainRelease } from '../../src/deployment/installation.ts'
import { objects } from '../../src/deployment/objects.ts'
import { openSwap } from '../../src/migration/swap.ts'
import { enabledCapabilities as capabilities } from '../../src/process/enabled-capabilities.ts'
import { upstreamNamed } from '../carried-swap.ts'
import { surroundings } from '../reload-cluster.ts'
import { spegelDaemonSet, spegelService } from '../spegel-cluster.ts'
import { runBallast } from './run-ballast.ts'

let folder = ''
let kubeconfig = ''
let twin: Twin
const signal = new AbortController().signal

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-move-mirror-'))
  const there = [spegelDaemonSet(), spegelService()]
  twin = await startTwin({ clock: systemClock, listen: { port: 0 }, objects: [...surroundings(there), ...there] })
  kubeconfig = join(folder, 'kubeconfig')
  writeFileSync(kubeconfig, await twin.kubeconfig())
})
afterAll(async () => {
  await twin.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** The steps for a cluster with these objects alone. */
async function stepsOf(there: Parameters<typeof surroundings>[0], isBack = false) {
  const other = await startTwin({ clock: systemClock, objects: [...surroundings(there), ...there] })
  try {
    const api = openApi(other.transport({ admin: true }), { clock: systemClock, userAgent: 'ballast-test' })
    const place = { api, signal, clock: systemClock, capabilities, upstream: upstreamNamed('spegel') }
    const { swap, steps } = await openSwap(place, { back: isBack, holder: 'a test' })
    const [first] = steps
    // What the first step sees is part of a plan.
    return Promise.all(steps.map(async step => ({ ...step, now: step === first ? await step.prove(swap) : undefined })))
  } finally {
    await other.stop()
  }
}
const ids = (steps: Awaited<ReturnType<typeof stepsOf>>) => steps.map(({ id }) => id)
const runOf = (steps: Awaited<ReturnType<typeof stepsOf>>, id: string) => steps.find(step => step.id === id)?.command ?? ''
const ours = objects(installationValues({ enable: ['mirror'], preset: { namespace: { create: true } } }, capabilities), {
  capabilities,
  release: plainRelease('ballast', 'ballast-system'),
}).filter(({ kind }) => ['Namespace', 'ServiceAccount', 'DaemonSet', 'Deployment'].includes(kind))

describe('forth', () => {
  test('every command in order, with what is carried; nothing is written', async () => {
    const before = twin.dump().length
    const { code, output, words } = await runBallast(['migrate', 'plan', 'spegel', '-o', 'json', '--kubeconfig', kubeconfig])
    expect(code, words).toBe(0)
    const plan = JSON.parse(output)
    expect(plan).toMatchObject({
      kind: 'MigrationPlan',
      component: 'spegel',
      direction: 'forth',
      values: {
        capabilities: {
          mirror: {
            enabled: true,
            ports: [30_020],
            registries: ['https://docker.io', 'https://ghcr.io'],
            containerdRegistryConfigPath: '/etc/cri/conf.d/hosts',
            persistence: { path: '/var/lib/spegel', hostPath: '/var/lib/spegel' },
          },
        },
      },
    })
    expect(plan.steps.map(({ id }: { readonly id: string }) => id)).toEqual([
      'check',
      'keep',
      'convert',
      'pin',
      'install',
      'mark',
      'switch',
      'remove',
      'open',
      'doctor',
    ])
    expect(words).toContain('run these commands yourself')
    expect(twin.dump()).toHaveLength(before)
  })

  test('apply takes the first step, and writes nothing but how far it is', async () => {
    const { code, words } = await runBallast(['migrate', 'apply', 'spegel', '--step', '1', '--yes', '--kubeconfig', kubeconfig])
    expect([code, words]).toEqual([0, expect.stringContaining('check: done: spegel/spegel')])
    expect(words).toContain('not done: keep, convert, pin, install, mark, switch, remove, open, doctor')
    const api = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test' })
    const { items } = await api.resource(builtIn.configmaps).list({ namespace: 'spegel', signal })
    expect(items.map(({ metadata }) => metadata.name).filter(name => name.startsWith('ballast'))).toEqual([
      'ballast-migration-spegel',
    ])
    await api.resource(builtIn.configmaps).delete('ballast-migration-spegel', { namespace: 'spegel', signal })
  })

  test('never both on one node: the one is waited for before the other comes', async () => {
    const steps = await stepsOf([spegelDaemonSet(), spegelService()])
    const run = runOf(steps, 'switch')
    const order = ['mirror-swap=none', '-n spegel wait pods', 'mirror-swap=ballast', '-n ballast-agent wait pods'].map(part =>
      run.indexOf(part),
    )
    expect(order).toEqual(order.toSorted((a, b) => a - b))
    expect(order[0]).toBeGreaterThan(0)
    expect(run).toContain("-l 'ballast.dev/mirror-swap in (spegel,none)'")
    expect(runOf(steps, 'remove')).not.toContain('uninstall')
  })

  test('a node port that ours binds is freed first', async () => {
    const steps = await stepsOf([spegelDaemonSet({ hostPort: undefined, nodePort: 30_020 }), spegelService(30_020)])
    expect(ids(steps).slice(4, 7)).toEqual(['install', 'free', 'mark'])
    expect(runOf(steps, 'free')).toContain('patch service spegel-registry')
    expect(steps.find(({ id }) => id === 'free')?.undo).toContain('"nodePort":30020')
  })

  test('an owner that is live stands in the way', async () => {
    const argo = { 'argocd.argoproj.io/instance': 'spegel' }
    const steps = await stepsOf([spegelDaemonSet({ hostPort: 30_020, labels: argo })])
    expect(steps[0]?.now).toMatchObject({ ok: false, said: expect.stringContaining('--cascade=orphan') })
    expect(runOf(steps, 'convert')).toContain('get application spegel -o yaml | ballast migrate values --from spegel -')
  })

  test('none, or several', async () => {
    await expect(stepsOf([])).rejects.toThrow('no Spegel is installed here')
    const one = spegelDaemonSet()
    const other = { ...one, metadata: { ...one.metadata, name: 'other-spegel' } }
    await expect(stepsOf([one, other])).rejects.toThrow('2 Spegels are installed')
  })
})

describe('back', () => {
  const order = ['check', 'mark', 'pin', 'restore', 'switch', 'off', 'open', 'doctor']

  test('where ours is not, there is nothing to go back from', async () => {
    const { code, words } = await runBallast(['migrate', 'plan', 'spegel', '--back', '--kubeconfig', kubeconfig])
    expect(code).toBe(3)
    expect(words).toContain('nothing to go back from')
  })

  test('with Spegel gone it is installed anew, off the nodes that ours is on', async () => {
    const steps = await stepsOf(ours, true)
    expect(ids(steps)).toEqual(order)
    expect(runOf(steps, 'restore')).toMatch(/^helm install spegel .*"operator":"NotIn","values":\["none","ballast"\]/)
    expect(runOf(steps, 'off')).toContain('--disable mirror')
  })

  test('with Spegel still there it is only kept off marked nodes', async () => {
    const steps = await stepsOf([...ours, spegelDaemonSet()], true)
    expect(ids(steps)).toEqual(order)
    expect(runOf(steps, 'restore')).toMatch(/^kubectl -n spegel patch daemonset spegel/)
    const run = runOf(steps, 'switch')
    expect(run.indexOf('-n ballast-agent wait pods')).toBeLessThan(run.indexOf('-n spegel wait pods'))
  })
})
