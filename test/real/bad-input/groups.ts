// All groups of cases of bad input.
import { bodyGroup } from './body-cases.ts'
import type { BadInputGroup } from './case.ts'
import { connectionGroup } from './connection-cases.ts'
import { definitionGroup } from './definition-cases.ts'
import { embeddedGroup } from './embedded-cases.ts'
import { extremeGroup } from './extreme-cases.ts'
import { fieldGroup } from './field-cases.ts'
import { heldGroup } from './held-cases.ts'
import { exponentGroup, objectGroup } from './object-cases.ts'
import { patchGroup } from './patch-cases.ts'
import { protobufGroup } from './protobuf-cases.ts'
import { queryGroup } from './query-cases.ts'
import { rightsGroup } from './rights-cases.ts'
import { ruleGroup } from './rule-cases.ts'
import { unionGroup } from './union-cases.ts'

export const badInputGroups: readonly BadInputGroup[] = [
  bodyGroup,
  fieldGroup,
  objectGroup,
  exponentGroup,
  patchGroup,
  protobufGroup,
  queryGroup,
  definitionGroup,
  ruleGroup,
  embeddedGroup,
  heldGroup,
  extremeGroup,
  unionGroup,
  rightsGroup,
  connectionGroup,
]
