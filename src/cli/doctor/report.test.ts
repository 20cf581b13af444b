import pc from 'picocolors'
import { expect, test } from 'vitest'
import { finding } from '#doctor/finding.ts'
import { type Report, reportText } from './report.ts'

const report: Report = {
  looked: 'x',
  findings: [
    finding('double-duty', { object: 'Deployment a/b', message: 'two of <Reloader> & "more"', fix: 'kubectl scale' }),
    finding('flux-tag-range', {
      object: 'OCIRepository r (f.yaml:3)',
      message: 'a range',
      fix: 'semver',
      file: 'f.yaml',
      line: 3,
    }),
    finding('upstream-present', { object: 'Deployment a/b', message: 'bell \u0007 and escape \u001b[31m', fix: 'none' }),
  ],
  unread: [{ kind: 'secrets', why: 'forbidden' }],
}
const plain = pc.createColors(false)

test('json is versioned and whole', () => {
  expect(JSON.parse(reportText(report, 'json', plain))).toEqual({
    apiVersion: 'cli.ballast.dev/v1',
    kind: 'DoctorReport',
    ...report,
  })
})

test('no format lets an escape through (case 38)', () => {
  for (const format of ['table', 'json', 'sarif', 'junit'] as const)
    expect(reportText(report, format, plain)).not.toContain('\u001b')
})

test('sarif points at lines, or at objects', () => {
  const { version, runs } = JSON.parse(reportText(report, 'sarif', plain))
  expect(version).toBe('2.1.0')
  expect(runs[0].results.map((result: { level: string }) => result.level)).toEqual(['error', 'error', 'note'])
  expect(runs[0].results[1].locations).toEqual([
    { physicalLocation: { artifactLocation: { uri: 'f.yaml' }, region: { startLine: 3 } } },
  ])
  expect(runs[0].results[0].locations).toEqual([{ logicalLocations: [{ fullyQualifiedName: 'Deployment a/b' }] }])
  expect(runs[0].tool.driver.rules.map(({ id }: { id: string }) => id)).toEqual([
    'double-duty',
    'flux-tag-range',
    'upstream-present',
  ])
})

test('junit counts what is wrong and escapes what people write', () => {
  const text = reportText(report, 'junit', plain)
  expect(text).toContain('tests="3" failures="2"')
  expect(text).toContain('two of &lt;Reloader&gt; &amp; &quot;more&quot;')
  expect(reportText({ ...report, findings: [] }, 'junit', plain)).toContain('tests="1" failures="0"')
})

test('a person sees severity, object, message, fix and where it is explained', () => {
  expect(reportText(report, 'table', plain).split('\n').slice(0, 4)).toEqual([
    'error double-duty  Deployment a/b',
    '      two of <Reloader> & "more"',
    '      fix: kubectl scale',
    '      docs/doctor.md#double-duty',
  ])
  expect(reportText({ looked: 'x', findings: [], unread: [] }, 'table', plain)).toBe('nothing found')
})

test('what an area looked at by itself stands above the findings, and is data for a program', () => {
  const looks = { metrics: { lines: ['row \u001b[31mone'], document: { rows: 1 } } }
  expect(
    reportText({ ...report, looks }, 'table', plain)
      .split('\n')
      .slice(0, 2),
  ).toEqual(['row  [31mone', ''])
  expect(JSON.parse(reportText({ ...report, looks }, 'json', plain)).areas).toEqual({ metrics: { rows: 1 } })
})
