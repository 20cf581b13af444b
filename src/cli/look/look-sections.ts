// A look as sections of rows, which a terminal, Markdown and a page draw alike. Pure.

import { cpuOf, cpuShort, memoryOf, memoryShort } from '#dashboard/words/quantity.ts'
import type { Look } from '#doctor/look/look.ts'

export interface Section {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** Rows of a section at most; what is left out is counted in the last one. */
const mostRows = 40
/** Pods without a place that are named. */
const mostPods = 5

/** The sections that have something to say, in the order of the questions. */
export function sectionsOf(look: Look): readonly Section[] {
  return [present(look), rivalries(look), waste(look), idle(look), losses(look), gains(look), unknown(look)]
    .filter(({ rows }) => rows.length > 0)
    .map(section => ({ ...section, rows: bounded(section.rows) }))
}

function bounded(rows: Section['rows']): Section['rows'] {
  return rows.length <= mostRows ? rows : [...rows.slice(0, mostRows), [`and ${rows.length - mostRows} more`]]
}

function present({ present: ones }: Look): Section {
  const rows = ones.map(({ name, version, where, isOff }) => [name, version, isOff ? `${where}, switched off` : where])
  return { title: 'Who is here', columns: ['program', 'version', 'where'], rows }
}

function rivalries({ rivalries: ones }: Look): Section {
  const rows = ones.map(({ certainty, verb, target, rivals, evidence }) => [
    certainty,
    `${rivals.join(' and ')}: each ${verb} ${target}`,
    evidence.length === 0 ? 'no trace of it was seen' : evidence.join('; '),
  ])
  return { title: 'Who fights whom', columns: ['', 'about what', 'evidence'], rows }
}

function waste({ waste: found }: Look): Section {
  const rows = (found?.resources ?? []).map(({ resource, allocatable, requested, unused }) => {
    const isCpu = resource === 'cpu'
    const amount = unused === undefined ? undefined : (isCpu ? cpuShort : memoryShort)(unused.amount)
    return [
      resource,
      (isCpu ? cpuOf : memoryOf)(requested, allocatable),
      amount === undefined ? 'not measured' : `${amount} by ${unused?.pods} measured pods`,
    ]
  })
  return { title: 'What is wasted', columns: ['resource', 'requested', 'requested and not used'], rows }
}

function idle({ waste: found }: Look): Section {
  const rows = (found?.idle ?? []).map(({ name, cpu, memory, watts }) => [
    name,
    `${Math.trunc(cpu)}% of cpu, ${Math.trunc(memory)}% of memory`,
    watts === undefined ? 'not known' : `${watts} W`,
  ])
  return { title: 'Nodes with next to nothing on them', columns: ['node', 'requested', 'draws idle'], rows }
}

function losses({ losses: found, waste: of }: Look): Section {
  const columns = ['node', 'pods', 'which, and why the first']
  const title = 'What breaks first when a node is lost'
  // Good news is news too; without nodes nothing was played.
  if (found?.length === 0 && (of?.resources ?? []).length > 0)
    return {
      title,
      columns,
      rows: [['any one', 'each finds a place', 'the loss of each node was played: nothing stays without a place']],
    }
  const rows = (found ?? []).map(({ lost, pending, because }) => {
    const more = pending.length > mostPods ? ` and ${pending.length - mostPods} more` : ''
    return [lost, `${pending.length} without a place`, `${pending.slice(0, mostPods).join(', ')}${more}: ${because}`]
  })
  return { title, columns, rows }
}

function gains({ present: ones, proposals }: Look): Section {
  const swaps = Map.groupBy(
    ones
      .filter(({ isOff }) => !isOff)
      .flatMap(({ name, capability, swap }) => (swap === undefined ? [] : [{ name, capability, ...swap }])),
    ({ command }) => command,
  )
  const rows = [
    ...Array.from(swaps, ([command, [first]]) => [`${first?.name}'s place (${first?.capability}): ${first?.how}`, command]),
    ...proposals.map(({ sentence, goal }) => [
      sentence,
      goal === undefined ? 'no move helps' : `ballast plan   # goal ${goal.name}`,
    ]),
  ]
  return { title: 'What Ballast would take over, and win', columns: ['what', 'begin with'], rows }
}

function unknown({ unknown: ones }: Look): Section {
  return { title: 'What is not known', columns: ['what, and what would tell'], rows: ones.map(one => [one]) }
}
