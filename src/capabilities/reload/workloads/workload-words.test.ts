// What `ballast why` says of workloads that are reloaded, and above all of those that are not.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { reloadWords } from './workload-words.ts'

const auto = 'reloader.stakater.com/auto'

function deployment(annotations: Readonly<Record<string, string>>, more: object = {}): KubeObject {
  const container = { name: 'app', envFrom: [{ secretRef: { name: 'db' } }, { configMapRef: { name: 'settings' } }] }
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'cart', namespace: 'shop', uid: 'u1', annotations },
    spec: { template: { metadata: {}, spec: { containers: [container] } }, ...more },
  }
  return object
}

const secret = (annotations: Readonly<Record<string, string>> = {}, name = 'db'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'shop', annotations },
})
const settings: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'shop' } }

const linesOn = (workload: KubeObject, objects: readonly KubeObject[] = [secret(), settings], config: object = {}) =>
  reloadWords.linesOn({ workload, objects, config, nowMs: Date.UTC(2026, 0, 1, 12) })

const yes = 'an annotation asks for reloads on anything that it uses'
const no = 'does not reload it'

// biome-ignore format: a table
test.each([
  ['it asks for all', deployment({ [auto]: 'true' }), undefined, {}, [`ConfigMap shop/settings reloads it when it changes: ${yes} (container app).`, `Secret shop/db reloads it when it changes: ${yes} (container app).`]],
  ['it asks for nothing', deployment({}), undefined, {}, [`ConfigMap shop/settings ${no}: no annotation of the workload asks for it.`, `Secret shop/db ${no}: no annotation of the workload asks for it.`]],
  ['it says no', deployment({ [auto]: 'false' }), undefined, { autoReloadAll: true }, [/^ConfigMap shop\/settings does not/, /^Secret shop\/db does not/, `Annotation ${auto} is "false", which does not ask for reloads.`]],
  ['an exclusion', deployment({ [auto]: 'true', 'secrets.exclude.reloader.stakater.com/reload': 'db' }), undefined, {}, [/^ConfigMap shop\/settings reloads/, `Secret shop/db ${no}: the workload excludes it.`]],
  ['a source to be ignored', deployment({ [auto]: 'true' }), [secret({ 'reloader.stakater.com/ignore': 'true' }), settings], {}, [/^ConfigMap shop\/settings reloads/, `Secret shop/db ${no}: its own annotation says that it is to be ignored.`]],
  ['a source that is not there', deployment({ [auto]: 'true' }), [settings], {}, [/^ConfigMap shop\/settings reloads/, /^Secret shop\/db \(not found, or not ours to list\) reloads/]],
  ['names by pattern', deployment({ 'secret.reloader.stakater.com/reload': 'd.*' }), [secret(), secret({}, 'dx'), settings], {}, [/^ConfigMap shop\/settings does not/, /^Secret shop\/db reloads it when it changes: an annotation names it \(d\.\*\)/, /^Secret shop\/dx reloads it when it changes: an annotation names it \(d\.\*\) \(container app\)/]],
  ['a pattern that does not compile', deployment({ 'secret.reloader.stakater.com/reload': 'db[' }), [secret(), settings], {}, [/^ConfigMap/, /^Secret shop\/db does not/, /^Annotation secret\.reloader\.stakater\.com\/reload: found "db\["/]],
  ['a window that is shut', deployment({ [auto]: 'true', 'ballast.dev/reload-window': '0 2 * * *;2h;Europe/Paris' }), undefined, {}, [/^ConfigMap/, /^Secret/, 'Its reload window is shut: changes wait until 2026-01-02T01:00:00Z.']],
  ['a window that is open', deployment({ [auto]: 'true', 'ballast.dev/reload-window': '0 11 * * *;2h;UTC' }), undefined, {}, [/^ConfigMap/, /^Secret/]],
  ['a pause', deployment({ [auto]: 'true' }, { paused: true }), undefined, {}, [/^ConfigMap/, /^Secret/, /^It is paused/]],
  ['a slip of the pen', deployment({ 'reloader.stakater.com/atuo': 'true', 'ballast.dev/reload-debonce': '1s', 'ballast.dev/owner': 'x' }), [], {}, [/^ConfigMap/, /^Secret/, `Annotation reloader.stakater.com/atuo is read by nobody; did you mean ${auto}?`, 'Annotation ballast.dev/reload-debonce is read by nobody; did you mean ballast.dev/reload-debounce?']],
  ['a key that is renamed', deployment({ [auto]: 'true' }), [], { annotations: { auto: 'example.com/auto' } }, [/^ConfigMap/, /^Secret/, /^Annotation reloader\.stakater\.com\/auto is read by nobody/]],
  ['everything by configuration', deployment({}), undefined, { autoReloadAll: true }, [/^ConfigMap shop\/settings reloads it when it changes: autoReloadAll/, /^Secret/]],
])('%s', (_case, workload, objects, config, expected) => {
  const lines = linesOn(workload, objects, config)
  expect(lines).toEqual(expected.map(line => (typeof line === 'string' ? line : expect.stringMatching(line))))
})

test('what was told of it is said, the newest of each reason, of either group of Events', () => {
  const told = (reason: string, note: string, minute: number, more: object) => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${reason}${minute}`, namespace: 'shop' },
    reason,
    ...more,
    lastTimestamp: `2026-01-01T11:0${minute}:00Z`,
    message: note,
  })
  const on = { involvedObject: { kind: 'Deployment', namespace: 'shop', name: 'cart' } }
  const events = [
    told('ReloadThrottled', 'later', 3, on),
    told('ReloadThrottled', 'earlier', 1, on),
    told('Reloaded', 'elsewhere', 4, { involvedObject: { kind: 'Deployment', namespace: 'shop', name: 'other' } }),
    { ...told('ReloadFail', 'denied', 2, {}), regarding: on.involvedObject },
    told('Scheduled', 'of somebody else', 5, on),
  ]
  expect(linesOn(deployment({ [auto]: 'true' }), [secret(), settings, ...events]).slice(2)).toEqual([
    '2026-01-01T11:02:00Z ReloadFail: denied',
    '2026-01-01T11:03:00Z ReloadThrottled: later',
  ])
})

test('kinds that are not reloaded get no words', () => {
  expect(linesOn({ ...deployment({ [auto]: 'true' }), kind: 'ReplicaSet' })).toEqual([])
})
