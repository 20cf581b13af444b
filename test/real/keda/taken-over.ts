// ScaledObjects that KEDA's operator settled are taken over by ours, and given back: nobody writes what the other has written already.
import { deepStrictEqual, ok } from 'node:assert'
import { setTimeout as pause } from 'node:timers/promises'
import { kedaScenarios } from '../../keda-scenarios.ts'
import { until } from '../metrics/servers.ts'
import { prepare, scaledObjectOf, scaledObjectsPath } from './outcomes.ts'
import { withoutAutoscaling } from './record.ts'
import { KedaSite } from './site.ts'

/** Those that settle, and stay as they are. */
const names = [
  'plain-on',
  'off-least-two',
  'with-behavior',
  'own-name',
  'labels',
  'cpu-and-cron',
  'formula',
  'paused-in',
  'stateful',
]
const looksMs = 8_000
const autoscalersPath = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers'

export async function changedHands(): Promise<string> {
  await using site = await KedaSite.start('upstream', withoutAutoscaling)
  const { client } = site.plane
  await prepare(site)
  const items = async (path: string) =>
    Reflect.get(Object(await client.want('GET', path)), 'items') as readonly {
      readonly metadata: {
        readonly name: string
        readonly uid: string
        readonly labels?: Readonly<Record<string, string>>
        readonly annotations?: unknown
        readonly ownerReferences?: unknown
      }
      readonly spec?: unknown
      readonly status?: Readonly<Record<string, unknown>>
    }[]
  /** All but the version of who writes, which upstream's own build says otherwise. */
  const autoscalers = async () =>
    (await items(autoscalersPath)).map(({ metadata: { name, labels, annotations, ownerReferences, uid }, spec }) => {
      const { 'app.kubernetes.io/version': _version, ...kept } = labels ?? {}
      return { name, uid, labels: kept, annotations, ownerReferences, spec }
    })
  /** Without the time of the last activity, which each look writes. */
  const statuses = async () =>
    (await items(scaledObjectsPath)).map(({ metadata, status }) => ({
      name: metadata.name,
      status: { ...status, lastActiveTime: '' },
    }))
  const settled = async () => {
    await until('all to be ready', async () => {
      const ready = await items(scaledObjectsPath)
      return ready.length === names.length && ready.every(({ status }) => /"ScaledObjectReady"/.test(JSON.stringify(status)))
    })
    await pause(looksMs)
    return { autoscalers: await autoscalers(), statuses: await statuses() }
  }
  const upstream = await site.upstream()
  for (const scenario of kedaScenarios)
    if (names.includes(scenario.name)) await client.want('POST', scaledObjectsPath, scaledObjectOf(scenario))
  const first = await settled()
  ok(first.autoscalers.length >= names.length)
  await upstream[Symbol.asyncDispose]()
  const ours = await site.ours()
  const second = await settled()
  deepStrictEqual(second, first)
  await ours[Symbol.asyncDispose]()
  await using _again = await site.upstream()
  const third = await settled()
  deepStrictEqual(third, first)
  return `${names.length} ScaledObjects to ours and back: no status and no field of an autoscaler was changed`
}
