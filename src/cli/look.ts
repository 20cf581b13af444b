// `ballast look`: who is in a cluster or a repository, who fights whom, what is wasted, what breaks first. Nothing is installed or written.

import { statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { stringify } from 'yaml'
import { energyRulesOf } from '#coordination/plans/energy-policy.ts'
import { readPolicy } from '#coordination/plans/plan-policy.ts'
import { lookAtCluster, lookAtRepository } from '#doctor/look/gather.ts'
import { type Look, saysNothing } from '#doctor/look/look.ts'
import { readRepository } from '#doctor/repository.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { problemSentence } from '#kube/problem.ts'
import type { EnergyNode } from '#planning/goals/policy.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { about } from './about.ts'
import { type DefineCommand, oneOf, type Surroundings } from './command-line.ts'
import { markdownLook, pageOfLook, terminalLook } from './look/look-text.ts'
import { loadCluster, type SourceOptions, withSource } from './source/cluster-source.ts'
import { schedulerOf } from './source/scheduler-source.ts'

/** Objects by which the VPA replaces pods and Karpenter empties nodes; absent where these are not installed. */
const verticalAutoscalers = { group: 'autoscaling.k8s.io', version: 'v1', resource: 'verticalpodautoscalers' } as const
const nodePools = { group: 'karpenter.sh', version: 'v1', resource: 'nodepools' } as const

const lookFormats = ['table', 'json', 'yaml', 'markdown'] as const

interface LookOptions extends SourceOptions {
  readonly repo?: string
  readonly output: (typeof lookFormats)[number]
  readonly html?: string
}

export const defineLook: DefineCommand = (program, surroundings) => {
  withSource(program.command('look'))
    .description(about.look)
    .option('--repo <folder>', 'a GitOps repository; needs no cluster')
    .option('-o, --output <format>', `one of ${lookFormats.join(', ')}`, oneOf(...lookFormats), 'table')
    .option('--html <file>', 'write it as one page, too, which loads nothing')
    .addHelpText(
      'after',
      [
        '\nWithout Events and managedFields it says who could fight, not who fights;',
        'ballast snapshot --look keeps both in a dump.',
        'Exit codes: 0 there is nothing to say, 3 there is, 2 bad usage, 1 it cannot be read.',
        'Example: ballast look --cluster examples/talos-homelab',
        'Example: ballast look --repo . -o markdown',
      ].join('\n'),
    )
    .action(async (options: LookOptions) => surroundings.end(await look(options, surroundings)))
}

async function look(options: LookOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { terminal } = surroundings
  if (options.repo !== undefined && (options.cluster ?? options.kubeconfig) !== undefined)
    throw new CommandRefused('--repo, --cluster and --kubeconfig exclude each other')
  const found = options.repo === undefined ? await clusterLook(options, surroundings) : repositoryLook(options.repo)
  terminal.write(lookText(found, options.output, surroundings))
  if (options.html !== undefined) await writePage(options.html, found)
  return saysNothing(found) ? exitCodes.done : exitCodes.notSo
}

function lookText(found: Look, format: LookOptions['output'], { terminal }: Surroundings): string {
  const document = { apiVersion: 'cli.ballast.dev/v1', kind: 'Look', ...found }
  if (format === 'json') return JSON.stringify(document, undefined, 2)
  if (format === 'yaml') return stringify(document).trimEnd()
  return format === 'markdown' ? markdownLook(found) : terminalLook(found, terminal.colour)
}

async function writePage(file: string, found: Look): Promise<void> {
  try {
    await writeFile(file, pageOfLook(found))
  } catch (error) {
    throw new CommandRefused(`--html: ${file} cannot be written: ${messageOf(error)}`, exitCodes.failed)
  }
}

async function clusterLook(options: LookOptions, surroundings: Surroundings): Promise<Look> {
  const also = [builtIn.events, builtIn.cronjobs, builtIn.horizontalpodautoscalers, verticalAutoscalers, nodePools]
  const cluster = await loadCluster(options, surroundings, also)
  const { objects, state, shown, isLive } = cluster
  const energy = energyOf(objects, surroundings)
  return lookAtCluster({ looked: shown, isLive, state, objects, settings: schedulerOf(cluster), energy })
}

/** What nodes draw, by the first policy that says it; policies that are not right are told and passed over. */
function energyOf(objects: readonly KubeObject[], { terminal }: Surroundings): readonly EnergyNode[] {
  for (const object of objects.filter(({ kind }) => kind === 'RebalancePolicy')) {
    const read = readPolicy(object)
    if (!read.ok) {
      for (const problem of read.problems) terminal.say(`set aside: ${problemSentence(problem)}`)
      continue
    }
    const rules = energyRulesOf(read.policy)
    if (!rules.ok) terminal.say(`set aside: ${problemSentence(rules.problem)}`)
    else if (rules.value !== undefined) return rules.value.nodes
  }
  return []
}

/** @throws CommandRefused where there is no such folder */
function repositoryLook(folder: string): Look {
  try {
    if (!statSync(folder).isDirectory()) throw new CommandRefused(`--repo: ${folder} is no folder`)
    return lookAtRepository(folder, readRepository(folder))
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) {
      const isMissing = 'code' in error && error.code === 'ENOENT'
      throw new CommandRefused(`--repo: ${isMissing ? `there is no folder ${folder}` : error.message}`)
    }
    throw error
  }
}
