// Findings for a person, a program, a code host and a test runner.

import { knownKinds, type Looked } from '#doctor/capability-findings.ts'
import type { Finding, Severity } from '#doctor/finding.ts'
import { harmless, paragraph } from '../terminal/paragraph.ts'
import type { Terminal } from '../terminal/terminal.ts'

export const reportFormats = ['table', 'json', 'sarif', 'junit'] as const
export type ReportFormat = (typeof reportFormats)[number]

export interface Report {
  /** What was looked at: a server, a file, a folder. */
  readonly looked: string
  readonly findings: readonly Finding[]
  readonly unread: readonly { readonly kind: string; readonly why: string }[]
  /** What was looked at beside the cluster's objects, by area. */
  readonly looks?: Readonly<Record<string, Pick<Looked, 'lines' | 'document'>>>
}

/** The report as a text. */
export function reportText(report: Report, format: ReportFormat, colour: Terminal['colour']): string {
  switch (format) {
    case 'table':
      return personText(report, colour)
    case 'json':
      return JSON.stringify(reportDocument(report), undefined, 2)
    case 'sarif':
      return JSON.stringify(sarif(report), undefined, 2)
    case 'junit':
      return junit(report)
  }
}

function personText({ findings, unread, looks = {} }: Report, colour: Terminal['colour']): string {
  const paint: Readonly<Record<Severity, (text: string) => string>> = { error: colour.red, warn: colour.yellow, info: colour.dim }
  const lines = findings.flatMap(({ severity, id, object, message, fix, docs }) => [
    `${paint[severity](severity.padEnd(5))} ${colour.bold(id)}  ${harmless(object)}`,
    ...paragraph(message, '      ', '      '),
    // A command is not broken, so that it can be copied.
    ...(isCommand(fix) ? [`      fix: ${harmless(fix)}`] : paragraph(`fix: ${fix}`, '      ', '           ')),
    colour.dim(`      ${docs}`),
  ])
  const count = (wanted: Severity) => findings.filter(({ severity }) => severity === wanted).length
  const counted = (wanted: Severity, word: string) => `${count(wanted)} ${word}${count(wanted) === 1 ? '' : 's'}`
  const sum = `${counted('error', 'error')}, ${counted('warn', 'warning')}, ${count('info')} notes`
  return [
    ...Object.values(looks).flatMap(look => [...look.lines.map(harmless), '']),
    ...lines,
    ...unread.map(({ kind, why }) => `not looked at: ${kind} (${harmless(why)})`),
    findings.length === 0 ? 'nothing found' : sum,
  ].join('\n')
}

const isCommand = (text: string) => /^(kubectl|ballast|helm) /.test(text)

function reportDocument({ looked, findings, unread, looks = {} }: Report) {
  const areas = Object.entries(looks).map(([area, { document }]) => [area, document] as const)
  return {
    ...{ apiVersion: 'cli.ballast.dev/v1', kind: 'DoctorReport', looked, findings, unread },
    ...(areas.length === 0 ? {} : { areas: Object.fromEntries(areas) }),
  }
}

const levels: Readonly<Record<Severity, string>> = { error: 'error', warn: 'warning', info: 'note' }

/** SARIF 2.1.0, as code hosts show it beside the lines of a change. */
function sarif({ findings }: Report) {
  const used = [...new Set(findings.map(({ id }) => id))].sort()
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'ballast doctor',
            rules: used.flatMap(id => {
              const kind = knownKinds.get(id)
              if (kind === undefined) return []
              return [{ id, shortDescription: { text: kind.what }, defaultConfiguration: { level: levels[kind.severity] } }]
            }),
          },
        },
        results: findings.map(({ id, severity, object, message, fix, file, line }) => ({
          ruleId: id,
          level: levels[severity],
          message: { text: `${object}: ${message}. Fix: ${fix}` },
          locations: [
            file === undefined
              ? { logicalLocations: [{ fullyQualifiedName: object }] }
              : {
                  physicalLocation: {
                    artifactLocation: { uri: file },
                    ...(line === undefined ? {} : { region: { startLine: line } }),
                  },
                },
          ],
        })),
      },
    ],
  }
}

/** A case a finding; one that passed where there is none, so that no runner takes it for a broken run. */
function junit({ findings }: Report): string {
  const failures = findings.filter(({ severity }) => severity !== 'info')
  const cases =
    findings.length === 0
      ? ['  <testcase classname="ballast.doctor" name="nothing found"/>']
      : findings.map(({ id, severity, object, message, fix }) => {
          const open = `  <testcase classname="ballast.doctor.${id}" name="${escaped(object)}"`
          const text = escaped(`${message}\nfix: ${fix}`)
          return severity === 'info'
            ? `${open}><system-out>${text}</system-out></testcase>`
            : `${open}><failure type="${severity}" message="${escaped(message)}">${text}</failure></testcase>`
        })
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="ballast doctor" tests="${cases.length}" failures="${failures.length}">`,
    ...cases,
    '</testsuite>',
  ].join('\n')
}

function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  // Control characters are not allowed in XML at all.
  return text.replace(/[&<>"]/g, mark => entities[mark] ?? mark).replace(/[^\P{Cc}\n\t]/gu, ' ')
}
