// Which scenarios there are, by the fixture that holds them.
import type { MinorVersion } from '../control-plane/build.ts'
import { autoscalerScenarios } from './autoscalers.ts'
import { daemonSetScenarios } from './daemon-sets.ts'
import { deploymentScenarios } from './deployments.ts'
import { deviceScenarios } from './devices.ts'
import { jobScenarios } from './jobs.ts'
import { ownershipScenarios } from './ownership.ts'
import { policyScenarios } from './policies.ts'
import { replicaSetScenarios } from './replica-sets.ts'
import type { RecordedStep, Scenario } from './scenario.ts'
import { serviceScenarios } from './services.ts'
import { statefulSetScenarios } from './stateful-sets.ts'
import { upkeepScenarios } from './upkeep.ts'
import { volumeScenarios } from './volumes.ts'

export interface RecordedFile {
  readonly serverVersion: string
  readonly command: string
  readonly scenarios: Readonly<Record<string, readonly RecordedStep[]>>
}

export const scenarioFiles: Readonly<Record<string, readonly Scenario[]>> = {
  deployments: deploymentScenarios,
  'replica-sets': replicaSetScenarios,
  'stateful-sets': statefulSetScenarios,
  'daemon-sets': daemonSetScenarios,
  jobs: jobScenarios,
  ownership: ownershipScenarios,
  services: serviceScenarios,
  volumes: volumeScenarios,
  upkeep: upkeepScenarios,
  autoscalers: autoscalerScenarios,
  policies: policyScenarios,
  devices: deviceScenarios,
  'devices-1.34': deviceScenarios,
}

/** Versions of the scheduler by fixture; 1.36 where none is named. */
export const schedulerOf: Readonly<Record<string, MinorVersion>> = { 'devices-1.34': '1.34' }
