// A twin of many workloads in a process of its own, with Reloader's own role in it. Started by `reloader-process.ts`; told to change so many
// ConfigMaps, it answers with how long each took until a template had its mark.
import { writeFileSync } from 'node:fs'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin } from '#twin/twin.ts'
import { tokenKubeconfig } from '../test/controller-process.ts'
import { configMap, workload } from '../test/reload-cluster.ts'
import { installReloaderRole } from '../test/reloader-role.ts'
import { node } from '../test/small-cluster.ts'

export interface ReloaderTwinSize {
  readonly workloads: number
  readonly kubeconfig: string
}

/** So many changes, one after the other at this distance. */
export interface ChangeWish {
  readonly count: number
  readonly everyMs: number
}

const podsOfNode = 100
const lookMs = 20
const limitMs = 120_000
const { signal } = new AbortController()

async function main({ workloads, kubeconfig }: ReloaderTwinSize): Promise<void> {
  const names = Array.from({ length: workloads }, (_, at) => `web-${at}`)
  const twin = await startTwin({
    clock: systemClock,
    objects: [
      ...Array.from({ length: Math.ceil(workloads / podsOfNode) }, (_, at) => node(`n${at}`)),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
      ...names.flatMap(name => [configMap(name, { key: 'first' }), workload({ name, configmaps: [name] })]),
    ],
    listen: { port: 0 },
  })
  const options = { namespace: 'reloader', isHighlyAvailable: false, clock: systemClock, signal }
  const token = await installReloaderRole(twin, options)
  const { file } = tokenKubeconfig(await twin.kubeconfig(), token)
  writeFileSync(kubeconfig, file, { mode: 0o600 })
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'ballast-bench' })
  let turn = 0
  const change = async ({ count, everyMs }: ChangeWish): Promise<readonly number[]> => {
    const pending = new Map<string, { readonly atMs: number; readonly before: string }>()
    const took: number[] = []
    const look = () => {
      for (const object of twin.access.list('deployments.apps') as readonly KubeObject[]) {
        const one = pending.get(object.metadata.name)
        if (one === undefined || templateText(object) === one.before) continue
        took.push(systemClock.elapsed() - one.atMs)
        pending.delete(object.metadata.name)
      }
    }
    turn++
    for (let at = 0; at < count; at++) {
      const name = `web-${(turn * 131 + at * 7) % workloads}`
      const [found] = (twin.access.list('deployments.apps') as readonly KubeObject[]).filter(one => one.metadata.name === name)
      pending.set(name, { atMs: systemClock.elapsed(), before: templateText(found) })
      const body = { data: { key: `change ${turn} ${at}` } }
      await admin.resource(builtIn.configmaps).patch(name, { type: 'merge', body }, { namespace: 'shop', signal })
      look()
      await systemClock.after(everyMs)
    }
    const untilMs = systemClock.elapsed() + limitMs
    while (pending.size > 0 && systemClock.elapsed() < untilMs) {
      look()
      await systemClock.after(lookMs)
    }
    return [...took, ...Array.from(pending, () => Number.POSITIVE_INFINITY)]
      .map(ms => Math.min(ms, limitMs))
      .sort((a, b) => a - b)
  }
  process.on('message', (wish: ChangeWish) => void change(wish).then(took => process.send?.(took)))
  process.on('disconnect', () => process.exit(0))
  process.send?.('ready')
}

const templateText = (object: KubeObject | undefined): string =>
  `${JSON.stringify(Object(object?.['spec']).template)}${textAt(object, 'metadata', 'uid')}`

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? '{}') as ReloaderTwinSize)
