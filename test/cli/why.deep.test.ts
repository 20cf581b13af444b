// `ballast why` and `ballast permits` as users run them: on a dump of a cluster that was rebalanced in the twin, and on bad input.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import type { KubeObject } from '#kube/objects/objects.ts'
import { controlledCluster } from '../controlled-cluster.ts'
import { smallCluster, smallPolicy } from '../small-cluster.ts'
import { runBallast } from './run-ballast.ts'

let folder = ''
let dump = ''

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-why-'))
  dump = join(folder, 'cluster.yaml')
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy()] })
  cluster.startController()
  await cluster.rebalance('small')
  await cluster.stopController()
  const kinds = [
    'nodes',
    'namespaces',
    'pods',
    'deployments.apps',
    'replicasets.apps',
    'poddisruptionbudgets.policy',
    'events',
    'leases.coordination.k8s.io',
  ]
  const ours = ['rebalancepolicies.ballast.dev', 'rebalanceplans.ballast.dev', 'disruptionpermits.ballast.dev']
  const objects = [...kinds, ...ours].flatMap(kind => cluster.list<KubeObject>(kind))
  writeFileSync(dump, objects.map(object => stringify(object, { aliasDuplicateObjects: false })).join('---\n'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const why = (...args: readonly string[]) => runBallast(['why', '--cluster', dump, ...args])
const permits = (...args: readonly string[]) => runBallast(['permits', '--cluster', dump, ...args])

const accountSchema = z.looseObject({
  subject: z.string(),
  at: z.iso.datetime(),
  entries: z.array(
    z.looseObject({
      at: z.iso.datetime(),
      who: z.string(),
      outcome: z.string(),
      permit: z.string().optional(),
      seconds: z.number().optional(),
    }),
  ),
  now: z.array(
    z.looseObject({
      question: z.string(),
      decision: z.string(),
      objections: z.array(z.looseObject({ rule: z.string(), from: z.iso.datetime().optional() })),
    }),
  ),
  obstacles: z.array(z.looseObject({ rule: z.string(), wayOut: z.string().optional() })),
})

describe('why', () => {
  test('a workload that was moved: who, how, why, and until when not again; 80 columns', async () => {
    const { code, output, words } = await why('deploy/solo')
    expect({ code, words }).toEqual({ code: 0, words: '' })
    const lines = output.split('\n')
    expect(lines.filter(line => line.length > 80)).toEqual([])
    expect(lines[0]).toBe('Deployment shop/solo')
    expect(output).toMatch(
      /● \d\d:\d\d:\d\d deschedule Granted: restart Deployment shop\/solo\n {2}│ {3}done after \d+ s: landed on n2\n/,
    )
    expect(output).toMatch(/◌ move it: Queued until 2026-03-02T\d\d:\d\d:\d\dZ by cool-down/)
    expect(output).toMatch(/● restart it: Granted/)
  })

  test('its pod that is gone leads to it; as data', async () => {
    const { code, output } = await why('pod/solo-abcde12345-a', '-o', 'json')
    const account = accountSchema.parse(JSON.parse(output))
    expect(code).toBe(0)
    expect(account.subject).toBe('Deployment shop/solo')
    expect(account.entries.map(({ who, outcome }) => `${who} ${outcome}`)).toEqual(['deschedule told', 'deschedule done'])
    expect(account.entries[1]).toMatchObject({ decision: 'Granted', permit: expect.stringMatching(/^shop\/restart-solo-/) })
    expect(account.now.find(({ question }) => question === 'move')).toMatchObject({
      decision: 'Queued',
      objections: [{ rule: 'cool-down' }],
    })
  })

  test('a workload that stays, with its way out', async () => {
    const { output } = await why('deploy/fixed', '-n', 'shop', '-o', 'yaml')
    const account = accountSchema.parse(parse(output))
    expect(account.entries.map(entry => entry['reason'])).toEqual(['OwnerNone'])
    expect(account.obstacles[0]).toMatchObject({ rule: 'owner', wayOut: expect.stringContaining('scaling.talos.io/managed-by') })
  })

  test('before anything was done', async () => {
    const { output } = await why('deploy/solo', '--at', '2026-03-02T04:00:00Z')
    expect(output).toContain('as it stood at 2026-03-02T04:00:00Z')
    expect(output).toContain('nothing is known: no permit')
    expect(output).toMatch(/● move it: Granted/)
    expect(output).toContain('What cannot be known any more')
  })

  test('by the configuration that is named', async () => {
    const config = join(folder, 'config.yaml')
    writeFileSync(
      config,
      stringify({ apiVersion: 'ballast.dev/v1alpha1', kind: 'BallastConfiguration', arbiter: { freeze: 'audit week' } }),
    )
    const { output } = await why('deploy/solo', '--config', config)
    expect(output).toMatch(/✗ restart it: Denied by freeze/)
    expect(output).toContain('audit week')
  })

  // biome-ignore format: a table
  test.each([
    ['a name that is not there',   ['deploy/sollo'],                           /no Deployment sollo in .*; did you mean Deployment shop\/solo\?/],
    ['another namespace',          ['deploy/solo', '-n', 'other'],             /no Deployment other\/solo/],
    ['no kind',                    ['solo'],                                   /expected KIND\/NAME such as deploy\/cart/],
    ['a kind of nobody',           ['deployt/solo'],                           /did you mean deploy\/\.\.\.\?/],
    ['a time of nobody',           ['deploy/solo', '--at', 'yesterday'],       /--at: found "yesterday", expected a time such as 2026-03-04T05:06:07Z or how long ago/],
    ['a time to come',             ['deploy/solo', '--at', '2999-01-01T00:00:00Z'], /yet to come/],
    ['a configuration that is not there', ['deploy/solo', '--config', 'no-such.yaml'], /no-such\.yaml/],
  ])('%s ends with 2 and one line', async (_name, args, says) => {
    const { code, words, output } = await why(...args)
    expect(words).toMatch(says)
    expect(words.trim().split('\n')).toHaveLength(1)
    expect({ code, output }).toEqual({ code: 2, output: '' })
  })
})

describe('permits', () => {
  const schema = z.looseObject({
    permits: z.array(z.looseObject({ who: z.string(), verb: z.string(), ending: z.string().optional() })),
    sums: z.array(z.looseObject({ count: z.number() })),
  })

  test('the ledger, and sums by cause', async () => {
    const { code, output } = await permits()
    expect(code).toBe(0)
    expect(output).toMatch(/^WHEN +WHO +CLASS +VERB +TARGET +END +S +WHY/)
    expect(output).toMatch(
      /deschedule +balance +restart +Deployment shop\/solo +done +\d+ +plan small-\w+ of policy small moves it from n1 to n2/,
    )
    expect(output).toMatch(/\n2 evict by deschedule: 2 done\n/)
  })

  // biome-ignore format: a table
  test.each([
    ['of another',              ['-n', 'other'],    []],
    ['that are out',            ['--active'],       []],
    ['since before',            ['--since', '2026-03-02T04:00:00Z', '-n', 'shop'], ['evict', 'evict', 'restart']],
    ['since nothing happened',  ['--since', '0s'],  []],
  ])('%s', async (_name, args, verbs) => {
    const { output } = await permits(...args, '-o', 'json')
    expect(schema.parse(JSON.parse(output)).permits.map(({ verb }) => verb).sort()).toEqual(verbs)
  })

  // biome-ignore format: a table
  test.each([
    ['a watch of a dump',  ['-w'],                              /-w needs a live cluster/],
    ['one and all',        ['-n', 'shop', '-A'],                /exclude each other/],
  ])('%s ends with 2', async (_name, args, says) => {
    const { code, words } = await permits(...args)
    expect(words).toMatch(says)
    expect(code).toBe(2)
  })

  test('an object that is no permit is set aside and named', async () => {
    const edited = join(folder, 'edited.yaml')
    writeFileSync(
      edited,
      stringify({
        apiVersion: 'ballast.dev/v1alpha1',
        kind: 'DisruptionPermit',
        metadata: { name: 'edited', namespace: 'shop' },
        spec: { requester: '' },
      }),
    )
    const { code, words, output } = await runBallast(['permits', '--cluster', edited])
    expect(words).toContain('set aside: DisruptionPermit shop/edited: spec.requester')
    expect({ code, output }).toEqual({ code: 0, output: 'no permits\n' })
  })
})
