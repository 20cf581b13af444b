// `ballast nfs sweep`: folders of shares that belong to nobody. It lists them; what is named by its identifier goes, where that proves that it is ours.

import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import type { Surroundings } from '#cli/command-line.ts'
import { openLiveApi } from '#cli/source/live-source.ts'
import type { Api } from '#kube/client/api.ts'
import { type Clock, systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isAlreadyExists, isNotFound } from '#kube/objects/status.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { readReport, reportLabel } from '../inventory/report.ts'
import { decideSweep, type Fate, looseFolders, type SweepFacts } from '../inventory/sweep.ts'
import { oneLine } from '../inventory/told.ts'
import { classes, type StoredVolume, type VolumeClass, volumes } from '../jobs/storage-kinds.ts'
import { knownShares, knownVolumes } from '../watched-facts.ts'

interface SweepOptions {
  readonly kubeconfig?: string
  readonly context?: string
  readonly delete?: boolean
  readonly yes?: boolean
}

/** Identifiers of one command. */
const mostNamed = 100
/** A folder that takes longer goes on being deleted without us. */
const waitLimitMs = 120_000
const askEveryMs = 1_000

export function addSweep(nfs: Command, surroundings: Surroundings): void {
  nfs
    .command('sweep [identifiers...]')
    .description('lists folders and archives on shares that belong to nobody; those that are named are archived, or deleted')
    .option('--kubeconfig <file>', 'default: KUBECONFIG, then the service account of the pod, then ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--delete', 'delete what is named; without it a folder is given the name archived-...')
    .option('--yes', 'do it; without it nothing is written')
    .addHelpText(
      'after',
      [
        '\nWhat is there is what the controller saw last (capabilities.nfs.controller.inventory).',
        'Two clusters may have one share: what belongs to the other belongs to nobody here.',
        'Exit codes: 0 done, 1 failed, 2 bad usage, 3 something that is named was refused or is still there.',
        'Example: ballast nfs sweep',
        "Example: ballast nfs sweep 'nas#export#pvc-0b0c...##' --yes",
      ].join('\n'),
    )
    .action(async (ids: readonly string[], options: SweepOptions) => surroundings.end(await sweep(ids, options, surroundings)))
}

async function sweep(ids: readonly string[], options: SweepOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { terminal, environment, signal } = surroundings
  if (ids.length > mostNamed) throw new CommandRefused(`found ${ids.length} identifiers, expected at most ${mostNamed}`)
  if (ids.length === 0 && options.yes === true)
    throw new CommandRefused('--yes: nothing is named; identifiers say what goes, one by one')
  const { api } = await openLiveApi({ kubeconfig: options.kubeconfig, context: options.context, environment, signal })
  try {
    const say = (line: string) => terminal.write(line)
    const sweeping = { api, clock: systemClock, signal, say, uid: randomUUID }
    if (ids.length === 0) return await listLoose(sweeping)
    return await sweepNamed(ids, options.delete === true ? 'delete' : 'archive', options.yes === true, sweeping)
  } finally {
    await api.close()
  }
}

interface Sweeping {
  readonly api: Api
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly say: (line: string) => void
  readonly uid: () => string
}

async function listLoose({ api, signal, say }: Sweeping): Promise<ExitCode> {
  const { reports } = await gather(api, signal)
  if (reports.length === 0)
    throw new CommandRefused('no report of the controller is there: capabilities.nfs.controller.inventory.enabled has it look')
  const words = { folder: 'folder', snapshot: 'archive of a snapshot', archived: 'archived folder' } as const
  const all = looseFolders(reports)
  for (const { id, kind, changedMs } of all)
    say(`${oneLine(id)}  ${words[kind]}, changed ${new Date(changedMs).toISOString().slice(0, 10)}`)
  if (all.length === 0) say('Nothing on the shares belongs to nobody.')
  for (const { server, share, problem } of reports.flatMap(({ shares }) => shares))
    if (problem !== undefined) say(oneLine(`${server}:/${share} could not be looked at: ${problem}`))
  return exitCodes.done
}

/** Does what is decided about each, and waits until it is gone. For tests it takes everything as arguments. @throws ApiError */
export async function sweepNamed(ids: readonly string[], fate: Fate, isMeant: boolean, sweeping: Sweeping): Promise<ExitCode> {
  const { api, clock, signal, say, uid } = sweeping
  let isDone = true
  for (const id of new Set(ids)) {
    // Asked anew each time: a volume may have come meanwhile.
    const decision = decideSweep(id, fate, await gather(api, signal), { nowMs: clock.now(), uid: uid() })
    const name = oneLine(id)
    if (decision.kind === 'refused') {
      say(`${name}: refused: ${decision.why}`)
      isDone = false
      continue
    }
    const verb = fate === 'delete' ? 'deleted' : 'archived'
    if (!isMeant) {
      say(`${name}: would be ${verb} (--yes does it)`)
      continue
    }
    const isGone = await release(decision.volume, sweeping)
    say(`${name}: ${isGone ? verb : `is being ${verb}: kubectl describe pv ${decision.volume.metadata.name}`}`)
    isDone &&= isGone
  }
  return isDone ? exitCodes.done : exitCodes.notSo
}

/** @returns whether the volume is gone, and with it the folder */
async function release(volume: StoredVolume, { api, clock, signal }: Sweeping): Promise<boolean> {
  const stored = api.resource<StoredVolume>(volumes)
  const { name } = volume.metadata
  try {
    await stored.create(volume, { signal })
  } catch (error) {
    // One that was begun earlier: it is waited for.
    if (!isAlreadyExists(error)) throw error
  }
  const untilMs = clock.elapsed() + waitLimitMs
  while (clock.elapsed() < untilMs) {
    await clock.after(askEveryMs, signal)
    try {
      await stored.get(name, { signal })
    } catch (error) {
      if (isNotFound(error)) return true
      throw error
    }
  }
  return false
}

async function gather(api: Api, signal: AbortSignal): Promise<SweepFacts> {
  const list = async <T extends KubeObject>(resource: GroupVersionResource, labelSelector?: string): Promise<readonly T[]> => {
    const found: T[] = []
    const wish = labelSelector === undefined ? {} : { labelSelector }
    for await (const { items } of api.resource<T>(resource).pages({ ...wish, signal })) found.push(...items)
    return found
  }
  const maps = await list<KubeObject>(builtIn.configmaps, reportLabel)
  const stored = await list<StoredVolume>(volumes)
  const storageClasses = await list<VolumeClass>(classes)
  const reports = maps.map(readReport).filter(report => report !== undefined)
  const drivers = [...new Set(reports.map(({ driver }) => driver))]
  return {
    reports,
    volumes: drivers.flatMap(driver => [...knownVolumes(stored, driver)]),
    shares: drivers.flatMap(driver => knownShares(storageClasses, stored, driver)),
  }
}
