// `ballast features`: what the rules of node-feature-discovery make of nodes, tried on files, a dump or a live cluster. Nothing is written.

import { readFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { type DefineCommand, oneOf, type Surroundings } from '#cli/command-line.ts'
import { loadCluster, type SourceOptions, withSource } from '#cli/source/cluster-source.ts'
import { kubeconfigOf } from '#cli/source/live-source.ts'
import { fittedText } from '#cli/terminal/fitted.ts'
import { readDocuments } from '#cluster/documents.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError, problemSentence } from '#kube/problem.ts'
import { parsePattern } from '#kube/values/regex.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { nfdGroup, nfdVersion } from '../names.ts'
import { clusterFeatures } from '../rules/cluster-features.ts'
import { decideNode, type NodeOutcome, type OutcomeSettings } from '../rules/node-outcome.ts'
import { featuresOfNode } from '../rules/node-own.ts'
import { namedReferences } from '../rules/references.ts'
import { unknownFeatures } from '../rules/rule-words.ts'
import { addDiscover } from './discover.ts'
import { nodeDocument, nodeLines, overviewLines, ruleDocument, ruleLines } from './features-text.ts'

interface FeaturesOptions extends SourceOptions {
  readonly file?: readonly string[]
  readonly namespace: string
  readonly enableTaints?: boolean
  readonly extraLabelNs?: string
  readonly denyLabelNs?: string
  readonly labelWhitelist?: string
  readonly output: 'table' | 'json' | 'yaml'
}

const kinds = ['nodefeatures', 'nodefeaturerules'].map(resource => ({ group: nfdGroup, version: nfdVersion, resource }))

export const defineFeatures: DefineCommand = (program, surroundings) => {
  const features = withSource(program.command('features [rule|node]'))
    .description('says what rules of node-feature-discovery make of each node, by which rule and why not; it writes nothing')
    .option(
      '-f, --file <files...>',
      'NodeFeatureRules and NodeFeatures to try: they take the place of those of their names; no cluster is needed then',
    )
    .option('--namespace <name>', 'where the workers publish: its NodeFeatures come first', 'node-feature-discovery')
    .option('--enable-taints', 'taints of rules count, as with -enable-taints of nfd-master')
    .option('--extra-label-ns <list>', 'namespaces of labels that are allowed besides, as with -extra-label-ns')
    .option('--deny-label-ns <list>', 'namespaces of labels that are not, as with -deny-label-ns')
    .option('--label-whitelist <pattern>', 'what the name of a label must contain, as with -label-whitelist')
    .option('-o, --output <format>', 'one of table, json, yaml', oneOf('table', 'json', 'yaml'), 'table')
    .addHelpText(
      'after',
      [
        '\nRULE is a NodeFeatureRule: where it matches, and what keeps it from matching elsewhere. NODE: what it gets, by which rule.',
        'Exit codes: 0 all rules could be evaluated, 2 bad input, 3 a rule failed or something that was asked for is left out.',
        'Example: ballast features -f rule.yaml --cluster dump.yaml',
      ].join('\n'),
    )
    .action(async (subject: string | undefined, options: FeaturesOptions) =>
      surroundings.end(await printFeatures(subject, options, surroundings)),
    )
  addDiscover(features, surroundings)
}

async function printFeatures(
  subject: string | undefined,
  options: FeaturesOptions,
  surroundings: Surroundings,
): Promise<ExitCode> {
  const { terminal } = surroundings
  const { objects, shown } = await objectsOf(options, surroundings)
  const { sources, rules, problems } = clusterFeatures(objects)
  for (const problem of problems) terminal.say(`set aside: ${problemSentence(problem)}`)
  if (sources.size === 0)
    throw new CommandRefused(`no NodeFeature in ${shown}: node-feature-discovery writes one for each node; give some with -f`)
  const partial = [...sources.values()].filter(own => own.some(({ publishedFor }) => publishedFor !== undefined)).length
  if (partial > 0 && options.file !== undefined)
    terminal.say(
      `${partial} ${partial === 1 ? 'node publishes' : 'nodes publish'} only what rules of the cluster look at (core.publish: referenced): what else a rule that is tried looks at counts as absent there`,
    )
  const settings = settingsOf(options)
  const present = new Map(objects.filter(({ kind }) => kind === 'Node').map(object => [object.metadata.name, object]))
  const references = namedReferences(rules.flatMap(object => object.rules))
  const ofNode = (node: string) => {
    const object = present.get(node)
    return object === undefined ? undefined : featuresOfNode(object, references)
  }
  const outcomes = new Map(
    [...sources].map(([node, own]) => [
      node,
      decideNode(own, rules, settings, { node, ofNode: ofNode(node), ownNamespace: options.namespace }),
    ]),
  )
  const chosen = subject === undefined ? undefined : subjectOf(subject, outcomes, rules)
  const unknown = unknownFeatures([...outcomes.values()].map(({ reports }) => reports))
  const document =
    chosen?.kind === 'node'
      ? nodeDocument(chosen.name, chosen.outcome, present.get(chosen.name))
      : chosen?.kind === 'rule'
        ? ruleDocument(chosen.name, outcomes)
        : {
            nodes: [...outcomes].map(([name, outcome]) => nodeDocument(name, outcome, present.get(name))),
            unknownFeatures: unknown,
          }
  if (options.output === 'json') terminal.write(JSON.stringify(document, undefined, 2))
  else if (options.output === 'yaml') terminal.write(stringify(document, { lineWidth: 0 }).trimEnd())
  else {
    const width = terminal.columns
    const lines =
      chosen?.kind === 'node'
        ? nodeLines(chosen.outcome, present.get(chosen.name), width)
        : chosen?.kind === 'rule'
          ? ruleLines(chosen.name, outcomes, width)
          : overviewLines(outcomes, unknown, width)
    for (const line of lines) terminal.write(fittedText(line, width))
  }
  const asked = chosen?.kind === 'node' ? [chosen.outcome] : [...outcomes.values()]
  return asked.every(isClean) ? exitCodes.done : exitCodes.notSo
}

function isClean({ reports, leftOut }: NodeOutcome): boolean {
  return leftOut.length === 0 && reports.every(({ outcome }) => outcome !== 'failed')
}

async function objectsOf(
  options: FeaturesOptions,
  surroundings: Surroundings,
): Promise<{ readonly objects: readonly KubeObject[]; readonly shown: string }> {
  const tried = (options.file ?? []).flatMap(filed)
  const named = options.cluster ?? options.kubeconfig
  // Files alone are enough, where no cluster is named and none is at hand.
  const isAlone = tried.some(({ kind }) => kind === 'NodeFeature') && named === undefined
  if (isAlone || (named === undefined && kubeconfigOf(undefined, surroundings.environment) === undefined && tried.length > 0))
    return { objects: tried, shown: (options.file ?? []).join(', ') }
  const { objects, shown } = await loadCluster(options, surroundings, kinds)
  const keys = new Set(tried.map(keyOf))
  return { objects: [...objects.filter(object => !keys.has(keyOf(object))), ...tried], shown }
}

function filed(path: string): readonly KubeObject[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new CommandRefused(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  const { objects, problems } = readDocuments(path, text)
  if (problems.length > 0) throw new InputError(problems)
  return objects.map(({ object }) => object)
}

function keyOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace ?? ''}/${metadata.name}`
}

function settingsOf({ enableTaints, extraLabelNs, denyLabelNs, labelWhitelist }: FeaturesOptions): OutcomeSettings {
  const list = (text: string | undefined) => (text ?? '').split(',').filter(part => part !== '')
  const pattern = labelWhitelist === undefined ? undefined : parsePattern(labelWhitelist, '--label-whitelist')
  if (pattern?.ok === false) throw new InputError([pattern.problem])
  return {
    enableTaints: enableTaints === true,
    autoPrefix: true,
    disableLabels: false,
    disableAnnotations: false,
    disableExtendedResources: false,
    disableTaints: false,
    denyNodeFeatureLabels: false,
    extraLabelNs: new Set(list(extraLabelNs)),
    denyLabelNs: list(denyLabelNs),
    ...(pattern === undefined ? {} : { labelWhiteList: pattern.value }),
  }
}

type Chosen =
  | { readonly kind: 'node'; readonly name: string; readonly outcome: NodeOutcome }
  | { readonly kind: 'rule'; readonly name: string }

function subjectOf(
  name: string,
  outcomes: ReadonlyMap<string, NodeOutcome>,
  rules: readonly { readonly name: string }[],
): Chosen {
  const outcome = outcomes.get(name)
  if (outcome !== undefined) return { kind: 'node', name, outcome }
  if (rules.some(rule => rule.name === name)) return { kind: 'rule', name }
  const known = [...outcomes.keys(), ...rules.map(rule => rule.name)].slice(0, 10)
  throw new CommandRefused(`${name} is neither a node with features nor a NodeFeatureRule; there are ${known.join(', ')}`)
}
