// `ballast features discover`: what a worker would find on a machine, and publish of it. Nothing is written.

import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { stringify } from 'yaml'
import { oneOf, type Surroundings } from '#cli/command-line.ts'
import { fittedTable, fittedText } from '#cli/terminal/fitted.ts'
import { systemClock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { qualifiedNameProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { HostTree } from '#machines/host-tree.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import type { CpuidSource } from '../discovery/cpu/cpuid-registers.ts'
import { namesInCpuinfo } from '../discovery/cpu/kernel-flags.ts'
import { knownFlags, readCpuid } from '../discovery/cpu/read-cpuid.ts'
import { type Discovery, discover } from '../discovery/discover.ts'
import { nodeFeature } from '../discovery/node-feature.ts'
import { readWorkerConfig, type WorkerConfig, workerConfigPath } from '../discovery/worker-config.ts'

interface DiscoverOptions {
  readonly root: string
  readonly config?: string
  readonly node?: string
  readonly namespace: string
  readonly output: 'table' | 'json' | 'yaml'
}

export function addDiscover(features: Command, surroundings: Surroundings): void {
  features
    .command('discover')
    .description('what a worker finds on this machine, or in a tree of another, and would publish; it writes nothing')
    .option('--root <dir>', 'where sys, proc, etc, lib and boot of the machine lie', '/')
    .option(
      '--config <file>',
      `the configuration of the worker; without it ${workerConfigPath} below the root, where it is there`,
    )
    .option('--node <name>', 'the name of the node (default: $NODE_NAME, else that of this machine)')
    .option('-o, --output <format>', 'one of table, json, yaml', oneOf('table', 'json', 'yaml'))
    .addHelpText(
      'after',
      [
        '\nWith -o yaml or json: the NodeFeature, which the rules can be tried on.',
        'Exit codes: 0 done, 2 bad input.',
        'Example: ballast features discover',
        'Example: ballast features discover -o yaml > node.yaml && ballast features -f node.yaml -f rules.yaml',
      ].join('\n'),
    )
    // The parent command has some of the options too, and takes them first.
    .action((_options: object, command: Command) => {
      printDiscovery(command.optsWithGlobals<DiscoverOptions>(), surroundings)
      surroundings.end(exitCodes.done)
    })
}

function printDiscovery(options: DiscoverOptions, { terminal, environment }: Surroundings): void {
  const root = resolve(options.root)
  const prefix = root.endsWith('/') ? root : `${root}/`
  const tree = new HostTree({ hostPrefix: prefix, ownRoot: root })
  if (!tree.isDirectory(tree.host('sys')))
    throw new CommandRefused(
      `${options.root} holds no machine: there is no folder ${prefix}sys; a tree has sys, proc, etc, lib and boot`,
    )
  const node = options.node ?? environment['NODE_NAME'] ?? hostname().toLowerCase()
  const [problem] = qualifiedNameProblems(node)
  if (problem !== undefined)
    throw new CommandRefused(`${JSON.stringify(node)} is no name of a node: it ${problem}; give one with --node`)
  const config = configuration(tree, options.config, warning => terminal.say(warning))
  const tell = (what: string, about: object) => terminal.say(`${what}: ${words(about)}`)
  const cpuid = processorOf(tree, root === '/', tell)
  const found = discover({ tree, cpuid, architecture: process.arch, nodeName: node, nowMs: systemClock.now(), tell }, config)
  const { metadata, ...rest } = nodeFeature(node, found)
  const document: KubeObject = { ...rest, metadata: { ...metadata, namespace: options.namespace } }
  if (options.output === 'json') terminal.write(JSON.stringify(document, undefined, 2))
  else if (options.output === 'yaml') terminal.write(stringify(document, { lineWidth: 0 }).trimEnd())
  else for (const line of discoveryLines(node, cpuid, found, terminal.columns)) terminal.write(line)
}

function configuration(tree: HostTree, given: string | undefined, tell: (warning: string) => void): WorkerConfig {
  const path = given ?? tree.own(workerConfigPath)
  if (given === undefined && !tree.exists(path)) return readWorkerConfig('', path, { tell })
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new CommandRefused(`the configuration cannot be read: ${messageOf(error)}`)
  }
  return readWorkerConfig(text, path, { tell })
}

/** A tree says by its `proc/cpuinfo` what processor it has; without that it is the one of this machine, as with upstream's worker. */
function processorOf(tree: HostTree, isHere: boolean, tell: (what: string, about: object) => void): CpuidSource {
  const noted = isHere ? undefined : namesInCpuinfo(tree, knownFlags)
  if (noted !== undefined) return noted
  if (!isHere) tell('the tree has no proc/cpuinfo', { processor: 'the one of this machine' })
  return readCpuid(new HostTree({ hostPrefix: '/', ownRoot: '/' }), process.arch, tell)
}

function words(about: object): string {
  return Object.entries(about)
    .map(([key, value]) => `${key} ${Array.isArray(value) ? value.join(', ') : String(value)}`)
    .join(', ')
}

function discoveryLines(
  node: string,
  cpuid: CpuidSource,
  { features, labels }: Discovery,
  width: number | undefined,
): readonly string[] {
  const all = [
    ...[...features.flags].map(([name, flags]) => [name, 'flags', flags.size, [...flags].sort().join(' ')] as const),
    ...[...features.attributes].map(
      ([name, values]) =>
        [name, 'attributes', values.size, [...values].map(([key, value]) => `${key}=${value}`).join(' ')] as const,
    ),
    ...[...features.instances].map(
      ([name, elements]) =>
        [name, 'instances', elements.length, elements.map(one => [...one.values()].join('/')).join(' ')] as const,
    ),
  ]
  const found = all.filter(([, , count]) => count > 0).sort(([left], [right]) => (left < right ? -1 : 1))
  const labelRows = [...labels].sort(([left], [right]) => (left < right ? -1 : 1))
  return [
    `${node}: ${found.length} features, ${labels.size} labels; the processor was asked by ${ways[cpuid.way] ?? cpuid.way}`,
    '',
    fittedTable(
      [{ title: 'FEATURE' }, { title: 'KIND' }, { title: 'ELEMENTS', align: 'right' }, { title: 'SUCH AS' }],
      found.map(([name, kind, count, such]) => [name, kind, String(count), shortened(such)]),
      width,
    ),
    '',
    fittedTable([{ title: 'LABEL' }, { title: 'VALUE' }], labelRows, width),
  ].map(line => fittedText(line, width))
}

const ways: Readonly<Record<string, string>> = {
  helper: 'a program of some 300 bytes',
  device: '/dev/cpu/0/cpuid',
  cpuinfo: '/proc/cpuinfo, which leaves some flags out',
  hwcap: 'what the kernel gives each process',
}

const longestExample = 60

function shortened(text: string): string {
  return text.length <= longestExample ? text : `${text.slice(0, longestExample - 1)}…`
}
