// `ballast plan -o git`: the plan as changes to the user's own manifests, to be reviewed and merged like any other.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import { budgetProposals } from '#planning/candidates/budget-proposals.ts'
import { budgetFiles } from '#planning/manifest-patches/budget-files.ts'
import { planDescription } from '#planning/manifest-patches/description.ts'
import { type Edits, editManifests, type Wish } from '#planning/manifest-patches/manifest-edits.ts'
import { type ManifestPlan, makeManifestPlan } from '#planning/manifest-patches/manifest-plan.ts'
import { type ManifestFolder, readManifests } from '#planning/manifest-patches/manifests.ts'
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
}

interface GitInput {
  readonly input: PlanInput
  readonly objects: readonly KubeObject[]
  readonly solve: Solve
}

/** @throws CommandRefused where it is not said where the manifests are, or what is there may not be written */
export async function printGitPlan(
  { input, objects, solve }: GitInput,
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
  const edits = editManifests(folder, plan.wishes, overlay)
  const budgets =
    options.emitPdbs === true ? budgetsFor(input.state, plan, { folder, edits, overlay }) : { changes: [], lines: [] }
  const changes = [...edits.changes, ...budgets.changes].sort((a, b) => (a.path < b.path ? -1 : 1))
  const description = planDescription(plan, edits.placed, budgets.lines)
  if (root !== undefined) {
    for (const line of read.skipped) terminal.say(`left out: ${line}`)
    publish(root, { changes, description }, options, surroundings)
  } else writeComponent(edits, budgets.changes, description, { out: options.out ?? '', surroundings })
  const left = edits.placed.filter(({ because }) => because !== undefined)
  if (root !== undefined)
    for (const { wish, because } of left)
      terminal.say(`not edited: ${wish.live.kind} ${wish.live.metadata.namespace}/${wish.live.metadata.name}: ${because}`)
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
  budgets: readonly FileChange[],
  description: string,
  { out, surroundings }: { readonly out: string; readonly surroundings: Surroundings },
): void {
  const patches = placed.flatMap(({ wish, patch }) => (patch === undefined ? [] : [{ path: patchFile(wish), text: patch, wish }]))
  const component = {
    apiVersion: 'kustomize.config.k8s.io/v1alpha1',
    kind: 'Component',
    ...(budgets.length === 0 ? {} : { resources: budgets.map(({ path }) => path) }),
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
    ...(patches.length === 0 && budgets.length === 0
      ? []
      : [{ path: 'kustomization.yaml', text: stringify(component, { lineWidth: 0 }) }]),
    ...patches.map(({ path, text }) => ({ path, text })),
    ...budgets.map(({ path, after }) => ({ path, text: after })),
  ]
  for (const line of writeOut(out, files)) surroundings.terminal.say(line)
}

function patchFile({ live, path }: Wish): string {
  const { namespace = 'default', name } = live.metadata
  return `patches/${namespace}-${live.kind.toLowerCase()}-${name}-${String(path.at(-1)).toLowerCase()}.yaml`
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
      return /^kind: Component$/m.test(text) && text.includes('path: patches/')
    default:
      return path.startsWith('patches/')
  }
}

function budgetsFor(
  state: ClusterState,
  plan: ManifestPlan,
  { folder, edits, overlay }: { readonly folder: ManifestFolder; readonly edits: Edits; readonly overlay: string | undefined },
): { readonly changes: readonly FileChange[]; readonly lines: readonly string[] } {
  const proposals = budgetProposals(state, plan)
  if (proposals.length === 0) return { changes: [], lines: [] }
  const taken = new Map([...folder.files, ...edits.changes.map(({ path, after }): [string, string] => [path, after])])
  const made = budgetFiles(state, { folder, texts: taken, overlay }, proposals)
  const problem = made.changes.find(change => edits.changes.some(({ path }) => path === change.path))
  if (problem !== undefined)
    throw new InputError([
      { code: 'repository-folder', where: problem.path, found: 'two changes', expected: 'one change a file' },
    ])
  return made
}
