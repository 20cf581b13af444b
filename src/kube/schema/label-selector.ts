// Selectors of labels in configurations: checked as Kubernetes checks them.

import * as z from 'zod'
import { labelSelectorOf, type Selector } from '../objects/selector.ts'

const mostListed = 256

/** `matchLabels` and `matchExpressions`; whatever cannot be a selector is refused. */
export const labelSelectorSchema = z
  .strictObject({
    matchLabels: z.record(z.string(), z.string()).optional(),
    matchExpressions: z
      .array(
        z.strictObject({
          key: z.string(),
          operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
          values: z.array(z.string()).max(mostListed).optional(),
        }),
      )
      .max(mostListed)
      .optional(),
  })
  .superRefine((selector, context) => {
    const parsed = labelSelectorOf(plain(selector))
    if (!parsed.ok) context.addIssue({ code: 'custom', message: `not ${parsed.problem.expected}` })
  })

type SelectorText = z.infer<typeof labelSelectorSchema>

/** The selector; the schema has checked it. @throws Error where it has not */
export function checkedSelector(selector: SelectorText): Selector {
  const parsed = labelSelectorOf(plain(selector))
  if (!parsed.ok) throw new Error(`not ${parsed.problem.expected}`)
  return parsed.value
}

/** Without the keys that are `undefined`, which the face of selectors does not know. */
function plain({ matchLabels, matchExpressions }: SelectorText) {
  return {
    ...(matchLabels === undefined ? {} : { matchLabels }),
    ...(matchExpressions === undefined
      ? {}
      : {
          matchExpressions: matchExpressions.map(({ key, operator, values }) => ({
            key,
            operator,
            ...(values === undefined ? {} : { values }),
          })),
        }),
  }
}
