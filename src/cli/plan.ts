// `ballast plan`: what would be moved, what it brings, what stays and why; on paper, for a dump or a live cluster.

import type { Command } from 'commander'
import { stringify } from 'yaml'
import { readDocuments } from '#cluster/documents.ts'
import type { OwnerLabel } from '#cluster/ownership.ts'
import { planKind, type RebalancePlan, type RebalancePolicy } from '#coordination/api.ts'
import type { ArbiterSurroundings } from '#coordination/arbiter/surroundings.ts'
import { nothingObserved } from '#coordination/observed/observation.ts'
import { viewOf } from '#coordination/permits/ledger-view.ts'
import { shownGoals } from '#coordination/plans/goal-policy.ts'
import { leftOfLimits } from '#coordination/plans/left-of-limits.ts'
import { moveHistory, plansAmong } from '#coordination/plans/move-history.ts'
import { planObject, planRecord } from '#coordination/plans/plan-object.ts'
import { isolationRulesOf, planPolicyOf, readPolicy } from '#coordination/plans/plan-policy.ts'
import { statusFindings } from '#coordination/plans/stored/status-check.ts'
import { expectedLines } from '#coordination/plans/timetable/expected.ts'
import { type Foretold, foretell } from '#coordination/plans/timetable/foretell.ts'
import { foretellContext } from '#coordination/plans/timetable/foretell-context.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { budgetProposals } from '#planning/candidates/budget-proposals.ts'
import { energyLines } from '#planning/energy/sentences.ts'
import { explainPod } from '#planning/explain.ts'
import { policyProblems } from '#planning/goals/goals.ts'
import { measurementsOf } from '#planning/goals/measurements.ts'
import { servableGoals } from '#planning/goals/served-goals.ts'
import { makePlan } from '#planning/plan.ts'
import type { Plan } from '#planning/plan-record.ts'
import type { Proposal } from '#planning/proposals/proposals.ts'
import { explanationLines, findingSentence, searchLines } from '#planning/sentences.ts'
import { childSolver } from '#planning/solving/solve.ts'
import { waiversOf } from '#planning/solving/waivers.ts'
import { verifyPlan } from '#planning/verifier/verify.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { about } from './about.ts'
import { type AccountSource, loadAccounts } from './account/account-source.ts'
import { assertUsed, type DefineCommand, oneOf, outputFormats, type Surroundings } from './command-line.ts'
import { type GitOptions, printGitPlan } from './plan/plan-git.ts'
import { addReport } from './plan/plan-report.ts'
import { proposedPolicy } from './plan/proposed-policy.ts'
import { type LoadedCluster, loadCluster, type SourceOptions, withSource } from './source/cluster-source.ts'
import { givenText } from './source/given-file.ts'
import { type ConfigurationOptions, withConfiguration } from './source/installed-settings.ts'
import { schedulerOf } from './source/scheduler-source.ts'
import { fittedText } from './terminal/fitted.ts'
import { nodeFigures, nodeTable } from './terminal/node-table.ts'
import { adviceLines, goalLines, moveTable, riskTable, shareTable, stayTable, waiverLines } from './terminal/plan-report.ts'
import type { Terminal } from './terminal/terminal.ts'

const planFormats = [...outputFormats, 'policy', 'git'] as const

interface PlanOptions extends SourceOptions, ConfigurationOptions, GitOptions {
  readonly policy?: string
  readonly policyFile?: string
  readonly goal: readonly string[]
  readonly output: (typeof planFormats)[number]
}

export const definePlan: DefineCommand = (program, surroundings) => {
  const plan = withConfiguration(withSource(program.command('plan')))
    .description(about.plan)
    .option('--policy <name>', 'the RebalancePolicy to plan for, where the cluster has several')
    .option('--policy-file <file>', 'a RebalancePolicy from a file instead of the cluster')
    .option(
      '--goal <goal>',
      'a goal in words, in place of a policy; may be repeated: [requested|used] RESOURCE at most|at least N% [on all|NODE|SELECTOR] [each|together]',
      (goal: string, others: readonly string[]) => [...others, goal],
      [],
    )
    .option('-o, --output <format>', `one of ${planFormats.join(', ')}`, oneOf(...planFormats), 'table')
    .option('--emit-pdbs', 'print a PodDisruptionBudget for every workload that lacks one to be moved; with git: as files')
    .option('--emit-labels', 'git: the owner labels for want of which workloads stay')
    .option('--emit-policy', 'git: the RebalancePolicy too, also one that --goal or the command itself made')
    .option('--repo <dir>', 'git: the manifests of this cluster, from which the description and a diff for git apply are made')
    .option('--overlay <folder>', 'git: the kustomization of this cluster, where the repository has several')
    .option('--out <dir>', 'git: a folder for plan.md and plan.diff; without --repo for patches as a component of kustomize')
    .option('--write', 'git: change the manifests of --repo themselves, where git has all of them as they stand')
    .option('--firm', 'git: demand each node, also where a preference would do')
    .addHelpText(
      'after',
      '\nWithout a policy it proposes goals from what stands out.\nExit codes: 0 the goals are reached, 3 they are not, 4 they cannot be.\nExample: ballast plan --cluster examples/talos-homelab -o yaml\nExample: ballast plan --cluster dump.yaml --goal "cpu at most 70% on node-role.kubernetes.io/control-plane"\nExample: ballast plan -o git --repo ~/homelab | git -C ~/homelab apply',
    )
    .action(async (options: PlanOptions) => surroundings.end(await printPlan(options, surroundings)))
  addVerify(plan, surroundings)
  addExplain(plan, surroundings)
  addReport(plan, surroundings)
}

function addVerify(plan: Command, surroundings: Surroundings): void {
  withSource(plan.command('verify <file>'))
    .description(
      'replays every certificate of a RebalancePlan with code that shares nothing with the solver, and holds its status to that',
    )
    .option('--policy-file <file>', 'the RebalancePolicy of the plan from a file instead of the cluster')
    .addHelpText('after', '\nExample: ballast plan verify plan.yaml --cluster examples/talos-homelab')
    .action(async (file: string, _options: SourceOptions, command: Command) => {
      // The parent command has the same options, and takes them first.
      const options = command.optsWithGlobals<PlanOptions>()
      const cluster = await loadCluster(options, surroundings)
      surroundings.end(verifyFile(file, cluster, { ...options, terminal: surroundings.terminal }))
    })
}

function addExplain(plan: Command, surroundings: Surroundings): void {
  withConfiguration(withSource(plan.command('explain <namespace/pod>')))
    .description('why a pod moves or stays, and what would change that')
    .option('--policy <name>', 'the RebalancePolicy to plan for')
    .option('--policy-file <file>', 'a RebalancePolicy from a file instead of the cluster')
    .addHelpText('after', '\nExample: ballast plan explain registry/nexus-0 --cluster examples/talos-homelab')
    .action(async (pod: string, _options: SourceOptions, command: Command) => {
      const options = command.optsWithGlobals<PlanOptions>()
      const around = await loadAround(options, surroundings)
      if (!around.cluster.state.pods.has(pod)) throw new CommandRefused(noSuchPod(pod, around.cluster))
      const { policy } = chosenPolicy(around.cluster, options)
      if (policy === undefined) throw new CommandRefused(nothingToDo(around.cluster))
      const { input, foretold } = await planFor(policy, around, surroundings)
      const { plan: made } = foretold
      for (const line of [...explainPod(input, made, pod), ...searchLines(made)]) writeFitted(surroundings.terminal, line)
    })
}

/** Names pods that begin as the one asked for: a workload's name is what people remember. */
function noSuchPod(pod: string, cluster: LoadedCluster): string {
  const near = [...cluster.state.pods.keys()].filter(key => key.startsWith(pod)).slice(0, 3)
  const hint = near.length === 0 ? 'name it as NAMESPACE/POD' : `did you mean ${near.join(' or ')}?`
  return `no pod ${JSON.stringify(pod)} in ${cluster.shown}; ${hint}`
}

interface Chosen {
  readonly policy?: RebalancePolicy | undefined
  /** As a file has it. */
  readonly object?: KubeObject
  /** What stands out in a cluster without a policy. */
  readonly findings: readonly Proposal[]
}

/**
 * The policy that is asked for; in its place the goals of `--goal`, or of a cluster without any policy what stands out in it.
 * @throws CommandRefused, InputError
 */
function chosenPolicy(cluster: LoadedCluster, options: Pick<PlanOptions, 'policy' | 'policyFile' | 'goal'>): Chosen {
  const { policy, policyFile, goal } = options
  if (goal.length > 0 && (policy ?? policyFile) !== undefined)
    throw new CommandRefused('--goal is in place of a policy: leave out --policy and --policy-file')
  const isNamed = policy !== undefined || policyFile !== undefined
  const hasPolicy = cluster.objects.some(({ kind }) => kind === 'RebalancePolicy')
  if (goal.length > 0 || !(isNamed || hasPolicy)) return proposedPolicy(cluster, goal)
  const chosen = policyOf(cluster, options)
  return { policy: chosen, object: chosen, findings: [] }
}

function nothingToDo({ shown }: LoadedCluster): string {
  return `nothing stands out in ${shown} that moving pods would mend; say what you want with --goal, such as --goal 'cpu at most 70% on all'`
}

/** The policy that is asked for. @throws CommandRefused when there is none, or several and none is named */
export function policyOf(
  cluster: Pick<LoadedCluster, 'objects' | 'shown'>,
  options: { readonly policy?: string; readonly policyFile?: string },
): RebalancePolicy {
  const isPolicy = (object: KubeObject) => object.kind === 'RebalancePolicy'
  let candidates = cluster.objects.filter(isPolicy)
  if (options.policyFile !== undefined) {
    const { objects, problems } = readDocuments(options.policyFile, givenText(options.policyFile, '--policy-file'))
    if (problems.length > 0) throw new InputError(problems)
    candidates = objects.map(({ object }) => object).filter(isPolicy)
  }
  const names = candidates.map(policy => policy.metadata.name)
  const chosen = options.policy === undefined ? candidates : candidates.filter(policy => policy.metadata.name === options.policy)
  const [policy] = chosen
  if (policy === undefined)
    throw new CommandRefused(
      `no RebalancePolicy ${options.policy === undefined ? '' : `${options.policy} `}in ${options.policyFile ?? cluster.shown}${names.length === 0 ? '' : `; there are ${names.join(', ')}`}`,
    )
  if (chosen.length > 1)
    throw new CommandRefused(
      `${chosen.length} RebalancePolicies in ${options.policyFile ?? cluster.shown}: ${names.join(', ')}; name one with --policy`,
    )
  const read = readPolicy(policy)
  if (!read.ok) throw new InputError(read.problems.map(problem => within(options.policyFile ?? cluster.shown, problem)))
  return read.policy
}

/** The problem with the file that has its object. */
function within(file: string, problem: Problem): Problem {
  return { ...problem, where: `${file}: ${problem.where}` }
}

interface Around {
  readonly cluster: LoadedCluster
  readonly ownerLabel: OwnerLabel
  /** What the arbiter of the cluster would judge by. */
  readonly arbiter: ArbiterSurroundings
  readonly plans: readonly RebalancePlan[]
  /** The cluster's present. */
  readonly nowMs: number
}

/** The cluster with its permits and plans. A dump says too little of what others did; of a live cluster it is read back. */
async function loadAround(options: PlanOptions, surroundings: Surroundings): Promise<Around> {
  return aroundOf(await loadAccounts(options, surroundings))
}

function aroundOf({ cluster, book, observed, settings, nowMs }: AccountSource): Around {
  const { ownerLabel, arbiter: policy } = settings
  const records = book.permits.flatMap(({ record }) => (record.grant === undefined ? [] : [record]))
  const arbiter = {
    ...{ ledger: viewOf(records), policy, ownerLabel, ownNamespace: ballastNamespace },
    observed: cluster.isLive ? observed : nothingObserved,
  }
  return { cluster, ownerLabel, arbiter, plans: book.plans, nowMs }
}

function inputFor(policy: RebalancePolicy, { cluster, ownerLabel, nowMs }: Pick<Around, 'cluster' | 'ownerLabel' | 'nowMs'>) {
  const resolved = planPolicyOf(policy, cluster.state, { ownerLabel, landing: 'prefer' })
  if (!resolved.ok) throw new InputError([within(cluster.shown, resolved.problem)])
  const plans = plansAmong(cluster.objects)
  const limits = { ...resolved.value.limits, ...leftOfLimits(policy, plans, nowMs) }
  return {
    state: cluster.state,
    policy: { ...resolved.value, limits },
    settings: schedulerOf(cluster),
    nowMs,
    measured: measurementsOf(cluster.objects),
    history: moveHistory(plans),
  }
}

/** What manifests are planned from: with the isolation, where it is enabled, for the tolerations that it needs. */
function gitInput(policy: RebalancePolicy, around: Pick<Around, 'cluster' | 'ownerLabel' | 'nowMs'>) {
  const input = inputFor(policy, around)
  const problems = policyProblems(input.policy, input.state)
  if (problems.length > 0) throw new InputError(problems)
  const isolation = policy.spec.isolation?.enabled === true ? isolationRulesOf(policy, around.cluster.state) : undefined
  if (isolation?.ok === false) throw new InputError([within(around.cluster.shown, isolation.problem)])
  const wished = isolation === undefined ? input.policy : { ...input.policy, isolation: isolation.value }
  const solve = solverFor(policy)
  return { input: { ...input, policy: wished }, objects: around.cluster.objects, solve }
}

async function planFor(policy: RebalancePolicy, around: Around, { signal }: Surroundings) {
  const input = inputFor(policy, around)
  const solve = solverFor(policy)
  const { arbiter, plans } = around
  const known = foretellContext({ arbiter: { surroundings: () => arbiter }, plans, policy, purpose: 'move' })
  const name = paperName(policy)
  const foretold = await foretell(input, { ...known, plan: name, batch: name }, one => makePlan(one, solve, signal))
  const { problems } = foretold.plan
  if (problems.length > 0) throw new InputError(problems.map(problem => within(around.cluster.shown, problem)))
  return { input, foretold }
}

/** The plan that `ballast plan` would print of what was read, with its policy; `undefined`: nothing is to be planned. @throws as `ballast plan` */
export async function paperPlan(
  read: AccountSource,
  options: Pick<PlanOptions, 'policy' | 'policyFile' | 'goal'>,
  surroundings: Surroundings,
): Promise<{ readonly plan: RebalancePlan; readonly policy: RebalancePolicy } | undefined> {
  const around = aroundOf(read)
  const { policy } = chosenPolicy(around.cluster, options)
  if (policy === undefined) return undefined
  const { foretold } = await planFor(policy, around, surroundings)
  return { plan: paperObject(policy, foretold), policy }
}

function solverFor({ spec }: RebalancePolicy) {
  return childSolver({ clock: systemClock, safetySeconds: spec.solveSeconds })
}

function paperObject(policy: RebalancePolicy, foretold: Foretold): RebalancePlan {
  const { uid: policyUid } = policy.metadata
  return planObject(foretold.plan, { name: paperName(policy), policyUid, foretold, nowMs: systemClock.now() })
}

/** Name of a plan that is on paper only. */
function paperName({ metadata }: RebalancePolicy): string {
  return `${metadata.name}-paper`
}

const codeOfOutcome: Readonly<Record<Plan['outcome'], ExitCode>> = {
  met: exitCodes.done,
  'not-met': exitCodes.notSo,
  infeasible: exitCodes.infeasible,
}

async function printPlan(options: PlanOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { terminal } = surroundings
  const { repo, overlay, out, write, firm, emitLabels, emitPolicy, output } = options
  const ofGit = { '--repo': repo, '--overlay': overlay, '--out': out, '--write': write, '--firm': firm }
  assertUsed({ ...ofGit, '--emit-labels': emitLabels, '--emit-policy': emitPolicy }, output === 'git', '-o git')
  const around = await loadAround(options, surroundings)
  const { cluster, ownerLabel } = around
  const { policy, object: policyObject, findings } = chosenPolicy(cluster, options)
  const isTable = output === 'table' && options.emitPdbs !== true
  if (isTable && findings.length > 0) printFindings(findings, surroundings)
  if (policy === undefined) {
    if (isTable) terminal.write(nodeTable(nodeFigures(cluster.state, []), terminal.colour, terminal.columns))
    terminal.say(nothingToDo(cluster))
    return exitCodes.done
  }
  if (output === 'policy') {
    terminal.write(stringify(policyObject).trimEnd())
    return exitCodes.done
  }
  if (options.output === 'git')
    return await printGitPlan({ ...gitInput(policy, around), policy: policyObject, ownerLabel }, options, surroundings)
  const { input, foretold } = await planFor(policy, around, surroundings)
  const { plan: made } = foretold
  if (options.emitPdbs === true) {
    terminal.write(
      budgetProposals(cluster.state, made)
        .map(budget => stringify(budget))
        .join('---\n')
        .trimEnd(),
    )
    return codeOfOutcome[made.outcome]
  }
  const object = () => paperObject(policy, foretold)
  switch (options.output) {
    case 'json':
      terminal.write(JSON.stringify(object(), undefined, 2))
      break
    case 'yaml':
      terminal.write(stringify(object(), { lineWidth: 0 }).trimEnd())
      break
    case 'lp':
      terminal.write(made.lp.trimEnd())
      break
    case 'table':
      printTable(foretold, { cluster, policy, ownerLabel }, surroundings)
      for (const line of waiverLines(await waiversOf(input, made, solverFor(policy), surroundings.signal)))
        writeFitted(terminal, line)
      if (findings.length > 0 || options.goal.length > 0)
        terminal.write('to keep these goals: the same command with -o policy prints them as a RebalancePolicy')
      break
  }
  return codeOfOutcome[made.outcome]
}

function printFindings(findings: readonly Proposal[], { terminal }: Surroundings): void {
  terminal.write('what stands out')
  for (const { sentence, goal } of findings)
    writeFitted(terminal, `  ${sentence}${goal === undefined ? '' : ` [goal ${goal.name}]`}`)
  terminal.write('')
}

function printTable(
  foretold: Foretold,
  {
    cluster,
    policy,
    ownerLabel,
  }: { readonly cluster: LoadedCluster; readonly policy: RebalancePolicy; readonly ownerLabel: OwnerLabel },
  { terminal }: Surroundings,
): void {
  const { plan: made } = foretold
  const goals = shownGoals(policy, cluster.state)
  terminal.write(nodeTable(nodeFigures(cluster.state, goals.goals), terminal.colour, terminal.columns))
  terminal.write('')
  if (made.moves.length > 0) {
    terminal.write(moveTable(made.moves, servableGoals(goals), terminal.columns))
    terminal.write('')
    terminal.write(shareTable(made.before, made.after, terminal.columns))
    terminal.write('')
    if (made.risks !== undefined) {
      terminal.write(riskTable(made.risks, terminal.colour, terminal.columns))
      terminal.write('')
    }
  }
  if (made.unmovable.length > 0) {
    terminal.write(stayTable(made.unmovable, terminal.columns))
    terminal.write('')
  }
  for (const line of goalLines(made, terminal.colour)) writeFitted(terminal, line)
  for (const line of [...expectedLines(foretold), ...explanationLines(made)]) writeFitted(terminal, line)
  for (const line of made.energy === undefined ? [] : energyLines(made.energy)) writeFitted(terminal, line)
  for (const line of adviceLines(made, ownerLabel)) writeFitted(terminal, line)
}

/** The policy that a plan names, where it is there; one that has lost its shape is refused. */
function policyOfPlan(
  { spec }: RebalancePlan,
  cluster: LoadedCluster,
  policyFile: string | undefined,
): { readonly policy?: RebalancePolicy } {
  const { name } = spec.policyRef
  const isThere = cluster.objects.some(({ kind, metadata }) => kind === 'RebalancePolicy' && metadata.name === name)
  if (policyFile === undefined && !isThere) return {}
  return { policy: policyOf(cluster, { policy: name, ...(policyFile === undefined ? {} : { policyFile }) }) }
}

function verifyFile(
  file: string,
  cluster: LoadedCluster,
  { terminal, policyFile }: Pick<Surroundings, 'terminal'> & Pick<PlanOptions, 'policyFile'>,
): ExitCode {
  const { objects, problems } = readDocuments(file, givenText(file, '<file>'))
  if (problems.length > 0) throw new InputError(problems)
  const plans = objects.filter(({ object }) => object.kind === planKind)
  if (plans.length === 0) throw new CommandRefused(`no RebalancePlan in ${file}`)
  let findings = 0
  for (const { object } of plans) {
    const read = planRecord(object)
    if (!read.ok) throw new InputError(read.problems)
    const status = statusFindings(object as RebalancePlan, {
      ...{ objects: cluster.objects, state: cluster.state },
      ...policyOfPlan(object as RebalancePlan, cluster, policyFile),
    })
    const found = [
      ...verifyPlan({ ...read.record, goals: status.claimed }, cluster.objects, schedulerOf(cluster)),
      ...status.findings,
    ]
    findings += found.length
    for (const finding of found) terminal.say(`${object.metadata.name}: ${findingSentence(finding)}`)
    if (found.length === 0) terminal.write(`${object.metadata.name}: ${read.record.moves.length} certificates hold`)
    for (const open of status.open) terminal.say(`${object.metadata.name}: not judged: ${open}`)
  }
  return findings === 0 ? exitCodes.done : exitCodes.notSo
}

/** A line for people, as wide as their terminal. */
function writeFitted(terminal: Terminal, line: string): void {
  terminal.write(fittedText(line, terminal.columns))
}
