// What a plugin says and does before a kubelet that is played, on a tree of a machine.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { parse } from 'yaml'
import { systemClock } from '#kube/clock.ts'
import { seededRandom } from '#kube/random.ts'
import { pluginMethods } from '../../../src/capabilities/devices/plugin/plugin-api.ts'
import type { FakeKubelet } from '../../../src/capabilities/devices/testdata/fake-kubelet.ts'
import type { PluginCase } from './plugin-cases.ts'
import { startPlugin } from './plugin-process.ts'

interface Answered {
  readonly files: readonly string[]
  readonly mounts: readonly string[]
  readonly cdi: readonly string[]
}

export interface ResourceAnswer {
  readonly devices: readonly { readonly id: string; readonly health: string; readonly numa: readonly number[] }[]
  /** What came for the first id, and for the first and the last. */
  readonly allocated: readonly Answered[]
  /** The kubelet's questions, and the ids in order of their text, or that it was refused. */
  readonly preferred: readonly (PreferredQuestion & { readonly ids: readonly string[] | 'refused' })[]
}

interface PreferredQuestion {
  readonly available: readonly string[]
  /** Those that must be among them; none where it is left out. */
  readonly must?: readonly string[]
  readonly size: number
}

export interface PluginAnswer {
  readonly resources: Readonly<Record<string, ResourceAnswer>>
  /** Files for CDI by their names, after all was allocated. */
  readonly cdi: Readonly<Record<string, unknown>>
}

/** Nothing more is said for so long: it has found what there is. */
const quietMs = 1_500
const limitMs = 30_000

/**
 * @param commandOf the whole command for the folder of the tree
 * @param mayEnd it ends where it offers nothing
 * @throws PartUnavailable where nobody may mount
 */
export async function pluginAnswer(
  commandOf: (tree: string) => readonly string[],
  { files, name, program: asked }: PluginCase,
  mayEnd = false,
): Promise<PluginAnswer> {
  await using plugin = await startPlugin(files, commandOf)
  const { kubelet, program, tree, cdi } = plugin
  let seen = ''
  let sinceMs = systemClock.elapsed()
  const began = sinceMs
  while (systemClock.elapsed() - sinceMs < quietMs) {
    if (program.hasEnded() && mayEnd) return { resources: {}, cdi: {} }
    if (program.hasEnded()) throw new Error(`${name}: the plugin ended: ${program.log()}`)
    if (systemClock.elapsed() - began > limitMs) throw new Error(`${name}: it does not come to rest: ${program.log()}`)
    await systemClock.after(100)
    // A plugin that still starts uses the processor, however slow the machine is.
    const work = Math.round(program.cpuSeconds() * 20)
    const now = JSON.stringify([work, ...[...kubelet.endpoints.keys()].map(resource => kubelet.devices(resource))])
    if (now !== seen) sinceMs = systemClock.elapsed()
    seen = now
  }
  const resources: Record<string, ResourceAnswer> = {}
  for (const resource of [...kubelet.endpoints.keys()].sort())
    resources[resource] = await answered(kubelet, resource, tree, asked === 'amd-gpu-plugin')
  const text = (file: string) => readFileSync(join(cdi, file), 'utf8').replaceAll(tree, '')
  return {
    resources,
    cdi: Object.fromEntries(
      readdirSync(cdi)
        .sort()
        .map(file => [file, parse(text(file))]),
    ),
  }
}

async function answered(kubelet: FakeKubelet, resource: string, prefix: string, isWhole: boolean): Promise<ResourceAnswer> {
  const devices = kubelet
    .devices(resource)
    .map(({ id, health, topology }) => ({ id, health, numa: (topology?.nodes ?? []).map(node => node.id) }))
    .sort((left, right) => (left.id < right.id ? -1 : 1))
  const ids = devices.map(({ id }) => id)
  const [first = ''] = ids
  const allocated: Answered[] = []
  for (const wanted of [[first], [first, ids.at(-1) ?? first]]) {
    const { containerResponses } = await kubelet.call(resource, pluginMethods.allocate, {
      containerRequests: [{ deviceIds: wanted }],
    })
    const [one] = containerResponses
    const once = (paths: readonly string[]) => [...new Set(paths.map(path => path.replace(prefix, '')))].sort()
    allocated.push({
      files: once(
        one?.devices.map(({ hostPath, containerPath, permissions }) => told(hostPath, containerPath, permissions)) ?? [],
      ),
      mounts: once(
        one?.mounts.map(({ hostPath, containerPath, readOnly }) => told(hostPath, containerPath, readOnly ? 'ro' : 'rw')) ?? [],
      ),
      cdi: once(one?.cdiDevices.map(({ name }) => name) ?? []),
    })
  }
  const preferred: ResourceAnswer['preferred'][number][] = []
  const options = await kubelet.call(resource, pluginMethods.options, {})
  if (options.getPreferredAllocationAvailable)
    for (const question of isWhole ? wholeQuestions(ids) : questions(ids)) {
      const { available, must = [], size } = question
      const request = { availableDeviceIds: available, mustIncludeDeviceIds: must, allocationSize: size }
      const response = kubelet.call(resource, pluginMethods.preferred, { containerRequests: [request] })
      const ids = await response.then(
        ({ containerResponses }) => [...(containerResponses[0]?.deviceIds ?? [])].sort(),
        (error: unknown) => {
          // The plugin's own answer, not a connection that broke.
          if (![status.UNKNOWN, status.INVALID_ARGUMENT].includes(Reflect.get(Object(error), 'code'))) throw error
          return 'refused' as const
        },
      )
      preferred.push({ ...question, ids })
    }
  return { devices, allocated, preferred }
}

/** The place is said once: it is the same on both sides with every plugin. */
function told(hostPath: string, containerPath: string, how: string): string {
  return hostPath === containerPath ? `${hostPath} ${how}` : `${hostPath} at ${containerPath} ${how}`
}

/** The same ones for the same ids. */
export function questions(ids: readonly string[]): readonly PreferredQuestion[] {
  const some = chooser(ids)
  return Array.from({ length: 12 }, () => {
    const available = some.of(ids, some.count(ids))
    return { available, size: some.count(available) }
  })
}

/** With ids that must be among them, and some that have no answer. */
export function wholeQuestions(ids: readonly string[]): readonly PreferredQuestion[] {
  const some = chooser(ids)
  const [first = ''] = ids
  return [
    ...questions(ids),
    ...Array.from({ length: 12 }, () => {
      const available = some.of(ids, some.count(ids))
      const must = some.of(available, some.count(available))
      return { available, must, size: must.length + some.count(available.slice(must.length)) }
    }).map(one => ({ ...one, size: Math.min(one.size, one.available.length) })),
    { available: ids, size: 0 },
    { available: ids, size: ids.length + 1 },
    { available: ids, must: ids, size: ids.length - 1 },
    { available: ids, must: [first], size: 1 },
  ]
}

function chooser(ids: readonly string[]) {
  const random = seededRandom(ids.length)
  return {
    /** From one to all of them; one of none. */
    count: (all: readonly string[]) => 1 + Math.floor(random() * all.length),
    of: (all: readonly string[], count: number) =>
      all
        .map(id => ({ id, at: random() }))
        .sort((left, right) => left.at - right.at)
        .slice(0, count)
        .map(({ id }) => id),
  }
}
