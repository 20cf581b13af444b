// `ballast migrate plan reloader` names beforehand what the first start rolls out: the same plans on the same cluster.
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { statusBody } from '#kube/objects/status.ts'
import { firstStartDocument, firstStartLines } from '../src/cli/migrate/plan-lines.ts'
import { marked, planned, playedStarts, rolledByStart, sha1Of } from './first-rollouts.ts'
import { configMap, reloadCluster, secret, workload } from './reload-cluster.ts'

const [now, before] = [sha1Of({ key: 'now' }), sha1Of({ key: 'before' })]
const sources = [
  configMap('settings', { key: 'now' }),
  secret('keys', { key: 'now' }),
  secret('keys', { key: 'now' }, 'left-out'),
]
const web = (name: string, more: Partial<Parameters<typeof workload>[0]> = {}) =>
  workload({ name, configmaps: ['settings'], secrets: ['keys'], ...more })
const settings = (hash: string) => ({ type: 'configmap', name: 'settings', hash }) as const
const keys = (hash: string) => ({ type: 'secret', name: 'keys', hash }) as const

// biome-ignore format: a table
const table: readonly (readonly [what: string, object: KubeObject, by: readonly string[], pods?: number])[] = [
  ['no mark',                      web('unmarked'), []],
  ['a mark of what is there',      marked(web('current'), [settings(now), keys(now)]), []],
  ['a mark of what was told apart', marked(web('apart'), [settings(`${now}-1`)]), []],
  ['an older ConfigMap',           marked(web('older', { replicas: 3 }), [settings(before)]), ['ConfigMap shop/settings'], 3],
  ['an older Secret',              marked(web('secret'), [settings(now), keys(before)]), ['Secret shop/keys'], 1],
  ['both',                         marked(web('both'), [settings(before), keys(before)]), ['ConfigMap shop/settings', 'Secret shop/keys'], 1],
  ['of something that is gone',    marked(web('gone', { configmaps: ['gone'] }), [{ type: 'configmap', name: 'gone', hash: before }]), []],
  ['not selected',                 marked(web('plain', { annotations: {} }), [settings(before)]), []],
  ['a namespace that is left out', marked(web('elsewhere', { namespace: 'left-out', configmaps: [] }), [keys(before)]), []],
  ['a StatefulSet',                marked(web('sts', { kind: 'StatefulSet', replicas: 2 }), [keys(before)]), ['Secret shop/keys'], 2],
  ['a DaemonSet',                  marked(web('ds', { kind: 'DaemonSet' }), [keys(before)]), ['Secret shop/keys'], 1],
  ['nothing runs of it',           marked(web('none', { replicas: 0 }), [keys(before)]), ['Secret shop/keys'], 0],
  ['paused by somebody',           marked(web('paused', { paused: true }), [keys(before)]), ['Secret shop/keys'], 0],
]
const config = { namespacesToIgnore: ['left-out'] }
const expected = table.flatMap(([, { kind, metadata }, by, pods]) =>
  by.length === 0 ? [] : [{ workload: `${kind} ${metadata.namespace}/${metadata.name}`, by, pods }],
)

test('what is behind is named, with its objects and pods, and rolls at the first start', async () => {
  await using cluster = await reloadCluster([...sources, ...table.map(([, object]) => object)], { config })
  const found = await planned(cluster, config)
  expect(found).toEqual({ rollsOut: expect.arrayContaining(expected), unknown: [] })
  expect(firstStartDocument(found)).toMatchObject({ workloads: expected.length, pods: 8 })
  expect(firstStartLines(found).join('\n')).toContain('Deployment shop/older, 3 pods: by ConfigMap shop/settings')
  // Secrets may not be listed, or listed and not read: what could not be compared is said.
  const refusing = (paths: RegExp): Transport => {
    const inner = cluster.twin.transport({ admin: true })
    const body = Buffer.from(JSON.stringify(statusBody(403, 'secrets is forbidden', 'Forbidden')))
    const refused = { status: 403, headers: { 'content-type': 'application/json' } }
    return {
      ...inner,
      request: request => (paths.test(request.path) ? Promise.resolve({ ...refused, body }) : inner.request(request)),
      stream: request =>
        paths.test(request.path)
          ? Promise.resolve({
              ...refused,
              chunks: (async function* () {
                yield body
              })(),
            })
          : inner.stream(request),
      close: () => inner.close(),
    }
  }
  for (const paths of [/\/secrets$/, /\/secrets\//]) {
    const blind = await planned(cluster, config, openApi(refusing(paths), { clock: cluster.clock, userAgent: 'a test' }))
    expect(blind.rollsOut.map(one => one.workload).sort()).toEqual(['Deployment shop/both', 'Deployment shop/older'])
    const whats = blind.unknown.map(({ what, why }) => `${what}: ${why}`)
    for (const [name, kind] of [
      ['secret', 'Deployment'],
      ['sts', 'StatefulSet'],
      ['both', 'Deployment'],
    ] as const)
      expect(
        whats.filter(said => said.startsWith(`${kind} shop/${name} by Secret shop/keys: `) && said.includes('forbidden')),
      ).toHaveLength(1)
    expect(firstStartLines(blind).join('\n')).toMatch(
      /at least 2 workloads.*unknown: Deployment shop\/secret by Secret shop\/keys/s,
    )
  }
  expect(await rolledByStart(cluster)).toEqual(expected.map(one => one.workload).sort())
  expect(firstStartLines(await planned(cluster, config)).join(' ')).toContain('rolls out nothing: what templates say')
})

test.each([1, 2])('cluster %i: what is named is what rolls, at the first start and at a later one', async seed => {
  for (const { named, rolled } of await playedStarts(seed)) expect(named).toEqual(rolled)
})
