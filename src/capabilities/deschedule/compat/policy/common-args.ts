// The kinds of arguments that several plugins share: namespaces, label selectors, percentages.
import { goQuote } from '#kube/objects/field-error.ts'
import type { LabelSelector } from '#kube/objects/objects.ts'
import { labelSelectorOf, type Selector } from '#kube/objects/selector.ts'
import type { NamespaceChoice, PodChoice, Thresholds } from './args.ts'
import type { FieldReader } from './fields.ts'

/** `namespaces` and `labelSelector`. */
export function podChoice(args: FieldReader): PodChoice {
  const labelSelector = labelSelectorIn(args, 'labelSelector')
  return { namespaces: namespaceChoice(args), ...(labelSelector && { labelSelector }) }
}

/** `namespaces`: included or excluded, not both. */
export function namespaceChoice(args: FieldReader): NamespaceChoice {
  return eitherList(args, 'namespaces', 'api.Namespaces')
}

/** A field with `include` and `exclude`, of which at most one may have entries. */
export function eitherList(args: FieldReader, field: 'namespaces' | 'ownerKinds', struct: string): NamespaceChoice {
  const choice = args.map(field, struct)
  const include = choice?.texts('include') ?? []
  const exclude = choice?.texts('exclude') ?? []
  if (choice !== undefined && include.length > 0 && exclude.length > 0) {
    choice.refuse({
      found: { include, exclude },
      expected: '`include` or `exclude`, not both',
      message: `only one of Include/Exclude ${field} can be set`,
    })
  }
  return { include, exclude }
}

/** The namespaces of `evictableNamespaces`, where nothing can be included. */
export function excludedNamespaces(args: FieldReader): readonly string[] {
  const choice = args.map('evictableNamespaces', 'api.Namespaces')
  const include = choice?.texts('include') ?? []
  if (choice !== undefined && include.length > 0) {
    choice.refuse({
      field: 'include',
      found: include,
      expected: '`exclude` alone',
      message: 'only Exclude namespaces can be set, inclusion is not supported',
    })
  }
  return choice?.texts('exclude') ?? []
}

/** A metav1.LabelSelector; `undefined` where the field is absent or selects everything. */
export function labelSelectorIn(args: FieldReader, field: string): Selector | undefined {
  const selector = args.map(field, 'v1.LabelSelector')
  if (selector === undefined) return undefined
  const matchLabels = selector.labels('matchLabels')
  const matchExpressions = selector.maps('matchExpressions', 'v1.LabelSelectorRequirement').flatMap(requirement)
  const found = { ...(matchLabels && { matchLabels }), matchExpressions }
  const parsed = labelSelectorOf(found)
  if (!parsed.ok) {
    const message = refusedSelector(parsed.problem.message ?? parsed.problem.expected)
    return selector.refuse({ found, expected: parsed.problem.expected, message })
  }
  return parsed.value.requirements.length === 0 ? undefined : parsed.value
}

type Requirement = NonNullable<LabelSelector['matchExpressions']>[number]

function requirement(expression: FieldReader): readonly Requirement[] {
  const operator = expression.text('operator') ?? ''
  const key = expression.text('key') ?? ''
  const values = expression.texts('values') ?? []
  if (operator === 'In' || operator === 'NotIn' || operator === 'Exists' || operator === 'DoesNotExist')
    return [{ key, operator, values }]
  expression.refuse({
    field: 'operator',
    found: operator,
    expected: 'In, NotIn, Exists or DoesNotExist',
    message: refusedSelector(`${goQuote(operator)} is not a valid label selector operator`),
  })
  return []
}

function refusedSelector(why: string): string {
  return `failed to get label selectors from strategy's params: ${why}`
}

/** Percentages by resource, each from 0 to 100, in order of the names. `label` begins upstream's messages, as `thresholds config is not valid: `. */
export function thresholds(args: FieldReader, field: string, label = ''): Thresholds {
  const given = args.numbers(field, 'api.Percentage')
  if (given?.size === 0) {
    args.refuse({
      field,
      found: {},
      expected: 'at least one resource with a percentage',
      message: `${label}no resource threshold is configured`,
    })
  }
  const percentages = new Map<string, number>()
  for (const [name, percent] of given ?? []) {
    if (percent >= 0 && percent <= 100) percentages.set(name, percent)
    else {
      args.refuse({
        field: `${field}.${name}`,
        found: percent,
        expected: 'a percentage from 0 to 100',
        message: `${label}${name} threshold not in [0, 100] range`,
      })
    }
  }
  return percentages
}
