// The twin held to what a real kube-apiserver answered when it was asked the same. `test/real/api-answers/record.ts` records.
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { comparable, type RecordedScenario } from '#test/api-answers.ts'
import { startTestTwin } from './twin-for-tests.ts'

const fixtures = join(import.meta.dirname, '..', '..', 'test', 'fixtures', 'api-answers')

/** Where the twin knowingly answers otherwise: the paths of an answer, and why. */
const knownDifferences: readonly {
  /** Any one without it. */
  readonly scenario?: string
  readonly request: RegExp
  readonly paths: RegExp
  readonly why: string
}[] = [
  {
    request: /customresourcedefinitions/,
    paths: /^(?!\.status\.storedVersions|\.message$)/,
    why: 'the twin serves a definition at once and removes it at once, upstream after a moment and with a finalizer',
  },
  {
    scenario: 'custom',
    request: /POST .*gadgets.*"size":("x"|-1)/,
    paths: /^\.(message|details)/,
    why: 'upstream also tries to read the scale of an object that its schema refuses',
  },
  {
    scenario: 'custom',
    request: /PATCH .*gadgets\/g\?fieldManager=a/,
    paths: /managedFields/,
    why: 'upstream drops the time of the entry that a scale left',
  },
  {
    scenario: 'permits',
    request: /"replicas":1\.5/,
    paths: /^\.(message|details)/,
    why: 'upstream names the Go type and says twice that it is no integer',
  },
  {
    scenario: 'pods',
    request: /pods\/p/,
    paths: /f:last(Probe|Transition)Time$/,
    why: 'upstream writes absent times of conditions as null, and null is owned',
  },
  {
    scenario: 'apply',
    request: /configmaps\/m\?fieldManager=b .*"data":\{\}/,
    paths: /managedFields/,
    why: 'upstream keeps the entry of an empty map that is not stored',
  },
  {
    scenario: 'deletion',
    request: /"finalizers"/,
    paths: /^\.details\.causes\.1$/,
    why: 'upstream checks metadata twice and says so twice',
  },
  {
    scenario: 'libraries',
    request: /"formatInt":"%[.\d]*[fe]"/,
    paths: /^\.(message|details)/,
    why: 'whole doubles and integers are one kind of value here: clauses of doubles take both',
  },
  { scenario: 'refusals', request: /continue=abc/, paths: /^\.message$/, why: 'the words of the JSON parser' },
]

describe.each(globSync('*.json', { cwd: fixtures }).toSorted())('%s', file => {
  test(`${basename(file, '.json')}: every answer is the recorded one`, async () => {
    const { name, exchanges } = JSON.parse(readFileSync(join(fixtures, file), 'utf8')) as RecordedScenario
    await using twin = await startTestTwin()
    for (const exchange of exchanges) {
      const answer = await twin.client.call(exchange.verb, exchange.path, {
        ...(exchange.body === undefined ? {} : { body: exchange.body }),
        ...(exchange.contentType === undefined ? {} : { contentType: exchange.contentType }),
      })
      const request = `${exchange.verb} ${exchange.path} ${JSON.stringify(exchange.body) ?? ''}`
      const found = differences(comparable(exchange.answer), comparable(answer.body ?? answer.text)).filter(
        ({ path }) => !isKnown(name, request, path),
      )
      expect({ request, status: answer.status, differences: found }).toEqual({
        request,
        status: exchange.status,
        differences: [],
      })
    }
  })
})

function isKnown(scenario: string, request: string, path: string): boolean {
  return knownDifferences.some(
    known =>
      (known.scenario === undefined || known.scenario === scenario) && known.request.test(request) && known.paths.test(path),
  )
}

interface Difference {
  readonly path: string
  readonly real: unknown
  readonly twin: unknown
}

/** Leaves that differ. */
function differences(real: unknown, twin: unknown, path = ''): readonly Difference[] {
  if (JSON.stringify(real) === JSON.stringify(twin)) return []
  const isTree = (value: unknown) => typeof value === 'object' && value !== null
  if (!isTree(real) || !isTree(twin) || Array.isArray(real) !== Array.isArray(twin)) return [{ path, real, twin }]
  const [left, right] = [Object(real) as Record<string, unknown>, Object(twin) as Record<string, unknown>]
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].flatMap(key =>
    differences(left[key], right[key], `${path}.${key}`),
  )
}
