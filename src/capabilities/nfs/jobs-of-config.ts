// What the configuration says of the sidecars' jobs: the defaults are those of csi-driver-nfs's chart, where they differ from the sidecars' own.

import { durationMs } from '#kube/time/duration.ts'
import type { NfsConfig } from './config.ts'
import { standardAttach } from './jobs/attach/settings.ts'
import type { JobsConfig } from './jobs/jobs.ts'
import { standardProvision } from './jobs/provision/settings.ts'
import { standardResize } from './jobs/resize/settings.ts'
import { standardSnapshot, standardSnapshotController } from './jobs/snapshot/settings.ts'

/** What client-go's leader election uses. */
const election = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2_000 } as const

/** @param namespace where the jobs' own pod is, and their Leases */
export function jobsOfConfig({ controller }: NfsConfig, namespace: string): JobsConfig {
  const { snapshots, volumeNamePrefix, modifyVolumes } = controller
  const timeoutMs = durationMs(controller.timeout)
  const retryLastMs = durationMs(controller.retryIntervalMax)
  return {
    provision: {
      ...standardProvision,
      timeoutMs,
      retryLastMs,
      namePrefix: volumeNamePrefix,
      tellsNames: true,
      attributes: modifyVolumes ? 'applied' : 'refused',
    },
    // A volume of files grows in use, so pods are not watched.
    resize: { ...standardResize, timeoutMs, heedsUse: false, attributes: modifyVolumes ? 'applied' : 'ignored' },
    attach: controller.attach ? { ...standardAttach, timeoutMs, retryLastMs } : undefined,
    snapshot: snapshots.enabled ? { ...standardSnapshot, timeoutMs } : undefined,
    snapshotController: snapshots.controller ? standardSnapshotController : undefined,
    election: { namespace, ...election },
  }
}

/** The jobs whose rights the installation gives: those of the snapshotter are there though it is off, so that it can be switched on by a file. */
export function jobsWithRights({ controller, ...config }: NfsConfig): JobsConfig {
  const snapshots = { ...controller.snapshots, enabled: true }
  return jobsOfConfig({ ...config, controller: { ...controller, snapshots } }, '')
}
