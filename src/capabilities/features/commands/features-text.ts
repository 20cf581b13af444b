// What `ballast features` prints: tables and documents of one node, of one rule, of all.

import { fittedTable } from '#cli/terminal/fitted.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import type { NodeOutcome, RuleReport, Wanted } from '../rules/node-outcome.ts'
import { whyNot } from '../rules/rule-words.ts'

type Outcomes = ReadonlyMap<string, NodeOutcome>

interface GivenRow {
  readonly what: 'label' | 'annotation' | 'extended resource' | 'taint'
  readonly key: string
  readonly value: string
  readonly by: string
  /** How it is on the node now; `unknown` where the node was not read. */
  readonly now: string
}

function given(outcome: NodeOutcome, node: KubeObject | undefined): readonly GivenRow[] {
  // The cast names the kind that was looked up.
  const present = node as Node | undefined
  const now = (value: string | undefined, wanted: string) =>
    node === undefined ? 'unknown' : value === undefined ? 'not there' : value === wanted ? 'the same' : value
  const rows = (what: GivenRow['what'], wanted: ReadonlyMap<string, Wanted>, held: Readonly<Record<string, unknown>>) =>
    [...wanted]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, { value, by }]): GivenRow => {
        const found = held[key]
        return { what, key, value, by, now: now(found === undefined ? undefined : String(found), value) }
      })
  const { labels = {}, annotations = {} } = node?.metadata ?? {}
  return [
    ...rows('label', outcome.labels, labels),
    ...rows('annotation', outcome.annotations, annotations),
    ...rows('extended resource', outcome.extendedResources, present?.status?.capacity ?? {}),
    ...outcome.taints.map(({ key, value = '', effect, by }): GivenRow => {
      const found = present?.spec?.taints?.find(taint => taint.key === key && taint.effect === effect)
      return {
        what: 'taint',
        key,
        value: `${value}:${effect}`,
        by,
        now: now(found && `${found.value ?? ''}:${effect}`, `${value}:${effect}`),
      }
    }),
  ]
}

/** One node for `-o json`. */
export function nodeDocument(name: string, outcome: NodeOutcome, node: KubeObject | undefined): object {
  return { node: name, gets: given(outcome, node), leftOut: outcome.leftOut, rules: outcome.reports.map(reportDocument) }
}

function reportDocument(report: RuleReport): object {
  const why = whyNot(report)
  return { object: report.object, rule: report.rule, outcome: report.outcome, ...(why === '' ? {} : { why }) }
}

/** One NodeFeatureRule for `-o json`. */
export function ruleDocument(name: string, outcomes: Outcomes): object {
  return { rule: name, nodes: rowsOfRule(name, outcomes).map(({ node, report }) => ({ node, ...reportDocument(report) })) }
}

function rowsOfRule(name: string, outcomes: Outcomes): readonly { readonly node: string; readonly report: RuleReport }[] {
  return [...outcomes].flatMap(([node, { reports }]) =>
    reports.filter(({ object }) => object === name).map(report => ({ node, report })),
  )
}

export function nodeLines(outcome: NodeOutcome, node: KubeObject | undefined, width: number | undefined): readonly string[] {
  const rows = given(outcome, node).map(({ what, key, value, by, now }) => [what, key, value, by, now])
  const titles = ['WHAT', 'KEY', 'VALUE', 'BY', 'ON THE NODE'].map(title => ({ title }))
  return [
    rows.length === 0 ? 'the rules give it nothing' : fittedTable(titles, rows, width),
    ...leftOutLines(outcome, width),
    '',
    fittedTable(
      ['NODEFEATURERULE', 'RULE', 'OUTCOME'].map(title => ({ title })).concat({ title: 'BECAUSE', ...below }),
      outcome.reports.map(report => [report.object, report.rule, report.outcome, whyNot(report)]),
      width,
    ),
  ]
}

const below = { isBelow: true } as const

export function ruleLines(name: string, outcomes: Outcomes, width: number | undefined): readonly string[] {
  const rows = rowsOfRule(name, outcomes).map(({ node, report }) => [node, report.rule, report.outcome, whyNot(report)])
  return [fittedTable(['NODE', 'RULE', 'OUTCOME'].map(title => ({ title })).concat({ title: 'BECAUSE', ...below }), rows, width)]
}

/** A row for each rule: on how many nodes it matches, and on how many it fails. */
export function overviewLines(outcomes: Outcomes, unknown: readonly string[], width: number | undefined): readonly string[] {
  const reports = [...outcomes.values()].flatMap(outcome => outcome.reports)
  const byRule = Map.groupBy(reports, ({ object, rule }) => `${object}/${rule}`)
  const count = (all: readonly RuleReport[], outcome: RuleReport['outcome']) =>
    String(all.filter(report => report.outcome === outcome).length)
  const rows = [...byRule].map(([name, all]) => {
    const failed = all.find(({ outcome }) => outcome === 'failed')
    return [name, count(all, 'matched'), count(all, 'unmatched'), count(all, 'failed'), failed?.why ?? '']
  })
  const titles = [
    { title: 'RULE' },
    ...['MATCHES', 'DOES NOT', 'FAILS'].map(title => ({ title, align: 'right' as const })),
    { title: 'BECAUSE', ...below },
  ]
  const left = [...outcomes].flatMap(([node, { leftOut }]) => leftOut.map(one => [node, one.what, one.key, one.why]))
  return [
    outcomes.size === 1 ? '1 node with features' : `${outcomes.size} nodes with features`,
    rows.length === 0 ? 'no NodeFeatureRule' : fittedTable(titles, rows, width),
    ...(unknown.length === 0 ? [] : ['', `no node has these features that rules ask for: ${unknown.join(', ')}`]),
    ...(left.length === 0 ? [] : ['', fittedTable(leftOutTitles, left, width)]),
  ]
}

const leftOutTitles = ['NODE', 'LEFT OUT', 'KEY'].map(title => ({ title })).concat({ title: 'BECAUSE', ...below })

function leftOutLines({ leftOut }: NodeOutcome, width: number | undefined): readonly string[] {
  if (leftOut.length === 0) return []
  const titles = ['LEFT OUT', 'KEY', 'BY'].map(title => ({ title })).concat({ title: 'BECAUSE', ...below })
  return [
    '',
    fittedTable(
      titles,
      leftOut.map(({ what, key, by, why }) => [what, key, by, why]),
      width,
    ),
  ]
}
