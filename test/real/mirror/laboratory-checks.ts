// Everything that is tried in the laboratory, for `npm run test:real`.
import type { Check } from '../check.ts'
import { crowdChecks } from './crowds.ts'
import { dataPlaneChecks } from './data-plane.ts'
import { dataPlaneFaultChecks } from './data-plane-faults.ts'
import { encryptedChecks } from './encrypted.ts'
import { fallThroughChecks } from './fall-through.ts'
import { faultChecks } from './faults.ts'
import { pullChecks } from './pulls.ts'
import { containerdSettingsChecks } from './settings-of-containerd.ts'

export const laboratoryChecks: readonly Check[] = [
  ...fallThroughChecks,
  ...pullChecks,
  ...faultChecks,
  ...crowdChecks,
  ...containerdSettingsChecks,
  ...encryptedChecks,
  ...dataPlaneChecks,
  ...dataPlaneFaultChecks,
]
