// Rules and features by chance, from a seed: few names and few values, so that most rules come near to matching.

import { operators } from '../../../src/capabilities/features/matching/expression.ts'
import { SeededRandom } from '../placements/seeded-random.ts'

export interface Question {
  readonly rule: Readonly<Record<string, unknown>>
  readonly features: Readonly<Record<string, unknown>>
}

/** What node-feature-discovery's engine answered; of errors only that there was one is compared. */
export interface Answer {
  readonly error?: string
  readonly matched: boolean
  readonly labels?: Readonly<Record<string, string>>
  readonly vars?: Readonly<Record<string, string>>
}

const features = ['a.one', 'a.two', 'b.one']
const elements = ['x', 'y', 'z', 'speed']
const values = [
  '',
  'true',
  'false',
  '1',
  '10',
  '+5',
  '-3',
  'abc',
  '6.12.25-talos',
  'v1.2',
  '9223372036854775807',
  '1.2.3.4',
  '0x10',
]
const patterns = ['^a', '1', '^(true|10)$', '(', '[a-', '(?i)ABC', 'b*']
const templates = [
  '{{ range .a.one }}{{ range $k, $v := . }}l-{{ $k }}={{ $v }}\n{{ end }}{{ end }}',
  'n={{ len .a.one }}',
  '{{ range .b.one }}{{ .Name }}=t\n{{ end }}',
  'first={{ index .a.two 0 }}',
]

/** `count` questions of one seed. */
export function ruleQuestions(seed: number, count: number): readonly Question[] {
  const random = new SeededRandom(seed)
  return Array.from({ length: count }, () => ({ rule: ruleOf(random), features: featuresOf(random) }))
}

function featuresOf(random: SeededRandom) {
  const pairs = () => Object.fromEntries(random.some(elements, 0.6).map(name => [name, random.pick(values)]))
  return {
    flags: Object.fromEntries(
      random
        .some(features, 0.4)
        .map(name => [name, { elements: Object.fromEntries(random.some(elements, 0.5).map(one => [one, {}])) }]),
    ),
    attributes: Object.fromEntries(random.some(features, 0.5).map(name => [name, { elements: pairs() }])),
    instances: Object.fromEntries(
      random
        .some(features, 0.4)
        .map(name => [name, { elements: Array.from({ length: random.below(4) }, () => ({ attributes: pairs() })) }]),
    ),
  }
}

function ruleOf(random: SeededRandom) {
  return {
    name: 'rule',
    ...(random.chance(0.5) ? { labels: { plain: 'yes' } } : {}),
    ...(random.chance(0.4) ? { labelsTemplate: random.pick(templates) } : {}),
    ...(random.chance(0.2) ? { vars: { v: '1' } } : {}),
    ...(random.chance(0.2) ? { varsTemplate: random.pick(templates) } : {}),
    ...(random.chance(0.8) ? { matchFeatures: matcherOf(random) } : {}),
    ...(random.chance(0.3)
      ? { matchAny: Array.from({ length: random.between(1, 3) }, () => ({ matchFeatures: matcherOf(random) })) }
      : {}),
  }
}

function matcherOf(random: SeededRandom) {
  return Array.from({ length: random.between(1, 2) }, () => ({
    feature: random.chance(0.1) ? random.pick(features).toUpperCase() : random.pick(features),
    ...(random.chance(0.8)
      ? { matchExpressions: Object.fromEntries(random.some(elements, 0.35).map(name => [name, expressionOf(random)])) }
      : {}),
    ...(random.chance(0.3) ? { matchName: expressionOf(random) } : {}),
  }))
}

function expressionOf(random: SeededRandom) {
  const op = random.pick(operators)
  const takes = op === 'GtLt' || op === 'GeLe' ? 2 : /^(Exists|DoesNotExist|Is)/.test(op) ? 0 : 1
  const count = random.chance(0.06) ? random.below(4) : takes
  const choices = op === 'InRegexp' ? patterns : /^(In|NotIn)$/.test(op) ? [...values, ...elements] : values
  return {
    op,
    ...(count === 0 ? {} : { value: Array.from({ length: count }, () => random.pick(choices)) }),
    ...(/^G|^L/.test(op) && random.chance(0.3) ? { type: random.chance(0.9) ? 'version' : 'other' } : {}),
  }
}
