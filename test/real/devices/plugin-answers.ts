// What a plugin says and does before a kubelet that is played, on a tree of a machine.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
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
  /** The kubelet's questions, and the ids in order of their text. */
  readonly preferred: readonly { readonly available: readonly string[]; readonly size: number; readonly ids: readonly string[] }[]
}

export interface PluginAnswer {
  readonly resources: Readonly<Record<string, ResourceAnswer>>
  /** Files for CDI by their names, after all was allocated. */
  readonly cdi: Readonly<Record<string, unknown>>
}

/** Nothing more is said for so long: it has found what there is. */
const quietMs = 1_500
const limitMs = 30_000

/** @param command the program without its flags. @throws PartUnavailable where nobody may mount */
export async function pluginAnswer(command: readonly string[], { files, flags, name }: PluginCase): Promise<PluginAnswer> {
  await using plugin = await startPlugin(files, tree => [...command, ...flags, `-prefix=${tree}`])
  const { kubelet, program, tree, cdi } = plugin
  let seen = ''
  let sinceMs = systemClock.elapsed()
  const began = sinceMs
  while (systemClock.elapsed() - sinceMs < quietMs) {
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
  for (const resource of [...kubelet.endpoints.keys()].sort()) resources[resource] = await asked(kubelet, resource, tree)
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

async function asked(kubelet: FakeKubelet, resource: string, prefix: string): Promise<ResourceAnswer> {
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
    for (const { available, size } of questions(ids)) {
      const { containerResponses } = await kubelet.call(resource, pluginMethods.preferred, {
        containerRequests: [{ availableDeviceIds: available, mustIncludeDeviceIds: [], allocationSize: size }],
      })
      preferred.push({ available, size, ids: [...(containerResponses[0]?.deviceIds ?? [])].sort() })
    }
  return { devices, allocated, preferred }
}

/** The place is said once: it is the same on both sides with every plugin. */
function told(hostPath: string, containerPath: string, how: string): string {
  return hostPath === containerPath ? `${hostPath} ${how}` : `${hostPath} at ${containerPath} ${how}`
}

/** The same ones for the same ids. */
export function questions(ids: readonly string[]): readonly { readonly available: readonly string[]; readonly size: number }[] {
  const random = seededRandom(ids.length)
  const some = (count: number) =>
    ids
      .map(id => ({ id, at: random() }))
      .sort((left, right) => left.at - right.at)
      .slice(0, count)
      .map(({ id }) => id)
  return Array.from({ length: 12 }, () => {
    const available = some(1 + Math.floor(random() * ids.length))
    return { available, size: 1 + Math.floor(random() * available.length) }
  })
}
