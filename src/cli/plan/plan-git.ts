// `ballast plan -o git`: the plan as changes to the user's own manifests, to be reviewed and merged like any other.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { OwnerLabel } from '#cluster/ownership.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { budgetProposals } from '#planning/candidates/budget-proposals.ts'
import { budgetFiles } from '#planning/manifest-patches/budget-files.ts'
import { type Additions, planDescription } from '#planning/manifest-patches/description.ts'
import { type Edits, editManifests, nameOfWish, type Wish } from '#planning/manifest-patches/manifest-edits.ts'
import { type ManifestPlan, makeManifestPlan } from '#planning/manifest-patches/manifest-plan.ts'
import { type ManifestFolder, readManifests } from '#planning/manifest-patches/manifests.ts'
import { ownerLabelWishes } from '#planning/manifest-patches/owner-labels.ts'
import { policyFile } from '#planning/manifest-patches/policy-file.ts'
import { type FileChange, unifiedDiff } from '#planning/manifest-patches/unified-diff.ts'
import type { PlanInput } from '#planning/plan-input.ts'
import { lossWords, missingWords } from '#planning/sentences.ts'
import type { Solve } from '#planning/solving/solve.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import type { Surroundings } from '../command-line.ts'
import { folderAt, manifestsBelow, refuseDirty, writeBelow } from './repository-files.ts'

export interface GitOptions {
  readonly repo?: string
  readonly overlay?: string
  readonly out?: string
  readonly write?: boolean
  readonly firm?: boolean
  readonly emitPdbs?: boolean
  readonly emitLabels?: boolean
  readonly emitPolicy?: boolean
}

interface GitInput {
  readonly input: PlanInput
  readonly objects: readonly KubeObject[]
  readonly solve: Solve
  /** The policy as a file has it. */
  readonly policy: KubeObject | undefined
  readonly ownerLabel: OwnerLabel
}

/** @throws CommandRefused where it is not said where the manifests are, or what is there may not be written */
export async function printGitPlan(
  { input, objects, solve, policy, ownerLabel }: GitInput,
  options: GitOptions,
  surroundings: Surroundings,
): Promise<ExitCode> {
  const { terminal, signal } = surroundings
  checkOptions(options)
  const root = options.repo === undefined ? undefined : folderAt(options.repo, '--repo')
  const read = root === undefined ? { files: [], skipped: [] } : manifestsBelow(root)
  const folder = readManifests(read.files)
  const overlay = options.overlay?.replace(/^\.\/|\/+$/g, '')
  if (overlay !== undefined && !folder.kustomizationFiles.has(overlay))
    throw new CommandRefused(
      `--overlay ${options.overlay}: no kustomization is there; there are ${[...folder.kustomizationFiles.keys()].slice(0, 20).join(', ') || 'none'}`,
    )
  using session = solve.session?.()
  const plan = await makeManifestPlan(input, { objects, firm: options.firm === true }, session?.solve ?? solve, signal)
  if (plan.failure !== undefined) throw new CommandRefused(`the solver gave no answer: ${plan.failure}`, exitCodes.failed)
  const labels = options.emitLabels === true ? ownerLabelWishes(input.state, plan.unmovable, ownerLabel) : []
  const edits = editManifests(folder, [...plan.wishes, ...labels], overlay)
  const added = additionsFor({ state: input.state, plan, policy, options }, { folder, edits, overlay })
  const changes = root === undefined ? [] : mergedChanges([...edits.changes, ...added.changes])
  const description = planDescription(plan, edits.placed, added)
  if (root !== undefined) {
    for (const line of read.skipped) terminal.say(`left out: ${line}`)
    publish(root, { changes, description }, options, surroundings)
  } else writeComponent(edits, added.changes, description, { out: options.out ?? '', surroundings })
  const left = edits.placed.filter(({ because }) => because !== undefined)
  if (root !== undefined)
    for (const { wish, because } of left)
      terminal.say(`not edited: ${wish.live.kind} ${wish.live.metadata.namespace}/${wish.live.metadata.name}: ${because}`)
  for (const { workload, because } of plan.unsaid) terminal.say(`not said by manifests: ${workload}: ${because}`)
  for (const goal of plan.goals.filter(({ state }) => state === 'missed'))
    terminal.say(
      goal.measure === 'survives'
        ? `goal ${goal.goal}: missed${lossWords(goal)}`
        : `goal ${goal.goal}: missed by ${missingWords(goal) ?? ''} on ${goal.node}`,
    )
  return plan.outcome === 'met' && (root === undefined || left.length === 0) ? exitCodes.done : exitCodes.notSo
}

function checkOptions({ repo, out, write, overlay }: GitOptions): void {
  if (repo === undefined && out === undefined)
    throw new CommandRefused('-o git needs --repo DIR, where the manifests are, or --out DIR for patches alone')
  if (write === true && repo === undefined) throw new CommandRefused('--write changes the manifests of --repo DIR')
  if (overlay !== undefined && repo === undefined) throw new CommandRefused('--overlay is a folder of --repo DIR')
}

interface Published {
  readonly changes: readonly FileChange[]
  readonly description: string
}

/** The description and the diff: on standard output, in `--out`, or written where they belong. */
function publish(
  root: string,
  { changes, description }: Published,
  { out, write }: GitOptions,
  { terminal, environment }: Surroundings,
): void {
  const keeper = refuseDirty(root, changes, environment)
  // Git takes names from the top of the repository, wherever it is called.
  const diff = changes.map(change => unifiedDiff({ ...change, path: `${keeper.prefix}${change.path}` })).join('')
  if (write === true) {
    if (!keeper.isKept && changes.length > 0)
      throw new CommandRefused(
        `${root} is in no git repository: what --write changes could not be brought back; leave it out and use the diff`,
      )
    for (const line of writeBelow(root, changes)) terminal.say(line)
  }
  if (out !== undefined) {
    for (const line of writeOut(out, [
      { path: 'plan.md', text: description },
      { path: 'plan.diff', text: diff },
    ]))
      terminal.say(line)
    return
  }
  terminal.write(description.trimEnd())
  if (diff === '') terminal.say('no file is to be changed')
  else if (write !== true) terminal.write(`\n${diff.trimEnd()}`)
}

/** Without manifests: patches as a component that any kustomization can take in. */
function writeComponent(
  { placed }: Edits,
  added: readonly FileChange[],
  description: string,
  { out, surroundings }: { readonly out: string; readonly surroundings: Surroundings },
): void {
  const patches = placed.flatMap(({ wish, patch }) => (patch === undefined ? [] : [{ path: patchFile(wish), text: patch, wish }]))
  const component = {
    apiVersion: 'kustomize.config.k8s.io/v1alpha1',
    kind: 'Component',
    ...(added.length === 0 ? {} : { resources: added.map(({ path }) => path) }),
    patches: patches.map(({ path, wish }) => ({
      path,
      target: {
        kind: wish.live.kind,
        name: wish.live.metadata.name,
        ...(wish.live.metadata.namespace === undefined ? {} : { namespace: wish.live.metadata.namespace }),
      },
    })),
  }
  const files = [
    { path: 'plan.md', text: description },
    ...(patches.length === 0 && added.length === 0
      ? []
      : [{ path: 'kustomization.yaml', text: stringify(component, { lineWidth: 0 }) }]),
    ...patches.map(({ path, text }) => ({ path, text })),
    ...added.map(({ path, after }) => ({ path, text: after })),
  ]
  for (const line of writeOut(out, files)) surroundings.terminal.say(line)
}

function patchFile(wish: Wish): string {
  const { kind, metadata } = wish.live
  return `patches/${metadata.namespace ?? 'default'}-${kind.toLowerCase()}-${metadata.name}-${nameOfWish(wish)}.yaml`
}

/** Files of our own in a folder of the user's: one that is there and says something else is left alone. */
function writeOut(out: string, files: readonly { readonly path: string; readonly text: string }[]): readonly string[] {
  mkdirSync(out, { recursive: true })
  const root = folderAt(out, '--out')
  const changes = files.map(({ path, text }) => ({ path, before: textAt(join(root, path)), after: text }))
  const foreign = changes.filter(({ before, after, path }) => before !== undefined && before !== after && !isOurs(path, before))
  if (foreign.length > 0)
    throw new CommandRefused(
      `${foreign.map(({ path }) => join(out, path)).join(', ')}: there already, and not written by a plan; nothing was written`,
    )
  const written = writeBelow(
    root,
    changes.filter(({ before, after }) => before !== after),
  )
  return written.length === 0 ? [`${out}: unchanged`] : written.map(line => join(out, line))
}

function textAt(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

/** Whether an earlier plan wrote it. */
function isOurs(path: string, text: string): boolean {
  switch (path) {
    case 'plan.md':
      return text.startsWith('# Rebalance by policy ')
    case 'plan.diff':
      return text === '' || text.startsWith('diff --git ')
    case 'kustomization.yaml':
      return /^kind: Component$/m.test(text) && /\b(?:patches|budgets|ballast)\//.test(text)
    default:
      return /^(?:patches|budgets|ballast)\//.test(path)
  }
}

interface Adding {
  readonly state: ClusterState
  readonly plan: ManifestPlan
  readonly policy: KubeObject | undefined
  readonly options: GitOptions
}

/** Budgets, then the policy; both may want the same kustomization. */
function additionsFor(
  { state, plan, policy, options }: Adding,
  { folder, edits, overlay }: { readonly folder: ManifestFolder; readonly edits: Edits; readonly overlay: string | undefined },
): Additions & { readonly changes: readonly FileChange[] } {
  const texts = new Map(folder.files)
  const take = (changes: readonly FileChange[]) => {
    for (const { path, after } of changes) texts.set(path, after)
  }
  take(edits.changes)
  const proposals = options.emitPdbs === true ? budgetProposals(state, plan) : []
  const budgets = budgetFiles(state, { folder, texts, overlay }, proposals)
  take(budgets.changes)
  const file =
    options.emitPolicy === true && policy !== undefined
      ? policyFile({ folder, texts, overlay }, policy)
      : { changes: [], lines: [] }
  return { budgets: budgets.lines, policy: file.lines, changes: [...budgets.changes, ...file.changes] }
}

/** One change a file: from what was there at first to what is there at last. */
function mergedChanges(changes: readonly FileChange[]): readonly FileChange[] {
  const merged = new Map<string, FileChange>()
  for (const change of changes) merged.set(change.path, { ...change, before: (merged.get(change.path) ?? change).before })
  return [...merged.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}
