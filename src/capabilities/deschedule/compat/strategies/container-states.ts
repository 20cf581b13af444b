// What containers of a pod wait for, how they ended and how often they began anew.
import type { ContainerStatus, Pod } from '#kube/objects/objects.ts'

/** Which containers are looked at besides the main ones. */
interface ContainerChoice {
  readonly includingInitContainers: boolean
  readonly includingEphemeralContainers?: boolean
}

/** The statuses of the containers that are looked at. */
export function chosenStatuses(pod: Pod, choice: ContainerChoice): readonly ContainerStatus[] {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses } = pod.status ?? {}
  // Not among the typed fields; as the API server has it a list of statuses.
  const ephemeral = (ephemeralContainerStatuses ?? []) as readonly ContainerStatus[]
  return [
    ...containerStatuses,
    ...(choice.includingInitContainers ? initContainerStatuses : []),
    ...(choice.includingEphemeralContainers === true ? ephemeral : []),
  ]
}

export function waitingReasons(statuses: readonly ContainerStatus[]): readonly string[] {
  return statuses.flatMap(({ state }) => present(state?.waiting?.reason))
}

export function terminatedReasons(statuses: readonly ContainerStatus[]): readonly string[] {
  return statuses.flatMap(({ state }) => present(state?.terminated?.reason))
}

/** Exit codes of containers that have ended; the wire leaves 0 out. */
export function exitCodes(statuses: readonly ContainerStatus[]): readonly number[] {
  return statuses.flatMap(({ state }) => (state?.terminated === undefined ? [] : [state.terminated.exitCode ?? 0]))
}

/** How often the containers that are looked at began anew, together. */
export function restartsOf({ status }: Pod, { includingInitContainers }: ContainerChoice): number {
  return restarts(status?.containerStatuses) + (includingInitContainers ? restarts(status?.initContainerStatuses) : 0)
}

function restarts(statuses: readonly ContainerStatus[] | undefined): number {
  let sum = 0
  if (statuses !== undefined) for (const { restartCount = 0 } of statuses) sum += restartCount
  return sum
}

function present(reason: string | undefined): readonly string[] {
  return reason === undefined || reason === '' ? [] : [reason]
}
