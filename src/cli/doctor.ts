// `ballast doctor`: what of the upstreams is still there, what fights, what is missing; of a cluster, a dump or a GitOps repository.

import { statSync } from 'node:fs'
import { checkedObject, placeOf } from '#cluster/cluster-checks.ts'
import { areas, capabilityFindings, knownKinds, type Looked } from '#doctor/capability-findings.ts'
import { examineCluster } from '#doctor/checks.ts'
import type { ClusterFacts } from '#doctor/facts.ts'
import { type Finding, inOrder, isAtLeast, type Severity } from '#doctor/finding.ts'
import { liveFacts } from '#doctor/live-facts.ts'
import { ownConfigMapName, ownDeployment, ownFacts } from '#doctor/own-facts.ts'
import { readRepository } from '#doctor/repository.ts'
import { examineRepository } from '#doctor/repository-checks.ts'
import { systemClock } from '#kube/clock.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Problem, problemSentence } from '#kube/problem.ts'
import { latestTraceMs } from '#kube/time/time.ts'
import { nearestName } from '#kube/values/nearest-name.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { about } from './about.ts'
import { type DefineCommand, oneOf, type Surroundings } from './command-line.ts'
import { type Report, type ReportFormat, reportFormats, reportText } from './doctor/report.ts'
import { isInPod, kubeconfigOf, openLiveApi } from './source/live-source.ts'
import { readSourceOrInput } from './source/source.ts'
import { paragraph } from './terminal/paragraph.ts'

interface DoctorOptions {
  readonly kubeconfig?: string
  readonly context?: string
  readonly cluster?: string
  readonly repo?: string
  readonly check?: string
  readonly severity: Severity
  readonly strict?: boolean
  readonly helmSecrets?: boolean
  readonly output: ReportFormat
}

export const defineDoctor: DefineCommand = (program, surroundings) => {
  program
    .command('doctor [area...]')
    .description(about.doctor)
    .option('--kubeconfig <file>', 'a live cluster; default without --cluster and --repo: KUBECONFIG, then ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--cluster <path>', 'a dump of a cluster; - for standard input')
    .option('--repo <folder>', 'a GitOps repository; needs no cluster')
    .option('--check <ids>', 'only these findings, by comma')
    .option('--severity <least>', 'the least severity to show: info, warn or error', oneOf('info', 'warn', 'error'), 'info')
    .option('--strict', 'end with 3 for warnings, too')
    .option('--helm-secrets', "read Helm's stored manifests: what an uninstall would delete")
    .option('-o, --output <format>', `one of ${reportFormats.join(', ')}`, oneOf(...reportFormats), 'table')
    .addHelpText(
      'after',
      [
        ...['', ...paragraph(`Areas: ${areas.join(', ')}; without one, all.`, '', '')],
        'Exit codes: 0 no error found, 1 the cluster cannot be read, 2 bad usage, 3 errors were found',
        '(with --strict: or warnings).',
        'Example: ballast doctor upstreams apis --kubeconfig ~/.kube/config',
        'Example: ballast doctor --repo . -o sarif > doctor.sarif',
      ].join('\n'),
    )
    .action(async (asked: readonly string[], options: DoctorOptions) =>
      surroundings.end(await examine(asked, options, surroundings)),
    )
}

async function examine(asked: readonly string[], options: DoctorOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { terminal } = surroundings
  const isWanted = filterOf(asked, options)
  const report = await reportOf(asked, options, surroundings)
  const findings = report.findings.filter(isWanted)
  terminal.write(reportText({ ...report, findings }, options.output, terminal.colour))
  const isBad = findings.some(({ severity }) => severity === 'error' || (options.strict === true && severity === 'warn'))
  return isBad ? exitCodes.notSo : exitCodes.done
}

/** @throws CommandRefused for an area or id that there is not, with the nearest */
function filterOf(asked: readonly string[], { check, severity }: DoctorOptions): (finding: Finding) => boolean {
  const ids = check === undefined ? [] : check.split(',').map(id => id.trim())
  for (const area of asked) if (!areas.includes(area)) throw unknown('area', area, areas)
  for (const id of ids) if (!knownKinds.has(id)) throw unknown('--check', id, [...knownKinds.keys()])
  return finding =>
    (asked.length === 0 || asked.includes(finding.area)) &&
    (ids.length === 0 || ids.includes(finding.id)) &&
    isAtLeast(finding.severity, severity)
}

function unknown(what: string, found: string, known: readonly string[]): CommandRefused {
  const near = nearestName(found, known)
  const expected = near === undefined ? `one of ${known.join(', ')}` : near
  return new CommandRefused(`${what}: found ${JSON.stringify(found)}, expected ${expected}`)
}

async function reportOf(asked: readonly string[], options: DoctorOptions, surroundings: Surroundings): Promise<Report> {
  const { repo, cluster, kubeconfig } = options
  const sources = [repo, cluster, kubeconfig].filter(source => source !== undefined)
  if (sources.length > 1) throw new CommandRefused('--repo, --cluster and --kubeconfig exclude each other')
  if (repo !== undefined) return examineFolder(repo)
  if (cluster === undefined) return await examineLive(asked, options, surroundings)
  const facts = await dumpFacts(cluster, surroundings)
  const unasked = looksOf(asked).map(({ area }) => ({
    kind: area,
    why: 'beyond what objects say: only a live cluster can be asked',
  }))
  return { looked: facts.looked, findings: examineCluster(facts), unread: [...facts.unread, ...unasked] }
}

function examineFolder(folder: string): Report {
  try {
    if (!statSync(folder).isDirectory()) throw new CommandRefused(`--repo: ${folder} is no folder`)
    return { looked: folder, findings: examineRepository(readRepository(folder)), unread: [] }
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) {
      const why = 'code' in error && error.code === 'ENOENT' ? `there is no folder ${folder}` : error.message
      throw new CommandRefused(`--repo: ${why}`)
    }
    throw error
  }
}

/** Those of the areas that are named: nobody else is asked unless that is wanted. */
function looksOf(asked: readonly string[]) {
  return [...capabilityFindings.values()].flatMap(({ look }) => (look !== undefined && asked.includes(look.area) ? [look] : []))
}

/** A live cluster, and beyond it what the areas that are named look at by themselves. */
async function examineLive(asked: readonly string[], options: DoctorOptions, surroundings: Surroundings): Promise<Report> {
  const { environment, signal } = surroundings
  const kubeconfig = kubeconfigOf(options.kubeconfig, environment)
  if (kubeconfig === undefined && !isInPod(environment))
    throw new CommandRefused(
      'nothing to look at: name a cluster with --kubeconfig FILE or --cluster PATH, or a repository with --repo DIR',
    )
  const { api, server, config } = await openLiveApi({ kubeconfig, context: options.context, environment, signal })
  try {
    const nowMs = systemClock.now()
    const helmSecrets = options.helmSecrets === true
    const facts = await liveFacts({ api, capabilities: enabledCapabilities, nowMs, helmSecrets, signal })
    const found = [...examineCluster(facts)]
    const unread = [...facts.unread]
    const looks: Record<string, Looked> = {}
    for (const look of looksOf(asked)) {
      const looked = await look.run({ facts, api, config, environment, clock: systemClock, signal })
      looks[look.area] = looked
      found.push(...looked.findings)
      unread.push(...looked.unread)
    }
    return { looked: server, findings: inOrder(found), unread, looks }
  } catch (error) {
    signal.throwIfAborted()
    throw new CommandRefused(
      `read cluster ${server}: ${error instanceof Error ? error.message : String(error)}`,
      exitCodes.failed,
    )
  } finally {
    await api.close()
  }
}

async function dumpFacts(path: string, { terminal, signal }: Surroundings): Promise<ClusterFacts & { readonly looked: string }> {
  const read = await readSourceOrInput(path, process.stdin, signal)
  const objects: KubeObject[] = []
  const problems: Problem[] = [...read.problems]
  for (const { object, where } of read.objects) {
    const found = checkedObject(object, placeOf(object, where))
    if (found.length === 0) objects.push(object)
    problems.push(...found)
  }
  for (const problem of problems) terminal.say(`set aside: ${problemSentence(problem)}`)
  const nowMs = newestOf(objects)
  const deployment = ownDeployment(objects)
  const configMap = objects.find(
    ({ kind, metadata }) =>
      kind === 'ConfigMap' &&
      metadata.name === ownConfigMapName(deployment) &&
      metadata.namespace === (deployment?.metadata.namespace ?? 'ballast-system'),
  )
  return {
    objects,
    unread: leftOut(objects),
    nowMs,
    ours: ownFacts(objects, configMap, { capabilities: enabledCapabilities, nowMs }),
    looked: path,
  }
}

/** A dump without any object of a kind most likely was made without that kind. */
function leftOut(objects: readonly KubeObject[]): Report['unread'] {
  const kinds = {
    EndpointSlice: 'endpointslices.discovery.k8s.io',
    ClusterRoleBinding: 'clusterrolebindings.rbac.authorization.k8s.io',
  }
  return Object.entries(kinds)
    .filter(([kind]) => !objects.some(object => object.kind === kind))
    .map(([, resource]) => ({ kind: resource, why: 'the dump has none' }))
}

/** A dump is of the time of its newest trace. */
function newestOf(objects: readonly KubeObject[]): number {
  const times = objects.flatMap(object => [
    object.metadata.creationTimestamp,
    object.metadata.deletionTimestamp,
    textAt(object, 'spec', 'renewTime'),
  ])
  const newest = times.map(time => Date.parse(time ?? '')).filter(ms => ms <= latestTraceMs)
  return newest.reduce((a, b) => Math.max(a, b), 0)
}
