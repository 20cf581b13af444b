// The mirror as an installation has it.
import type { CapabilityObjects } from '#deployment/capability-objects.ts'
import { cleanupObjects, cleanupTrees } from './cleanup-hook.ts'
import { restoreHostsFiles } from './given-back.ts'
import { mirrorObjects } from './mirror-objects.ts'
import { mirrorSchema } from './mirror-values.ts'
import { mirrorStaticPod } from './static-pod.ts'

export const installs: CapabilityObjects = {
  block: { name: 'mirror', values: mirrorSchema },
  objects: mirrorObjects,
  hooks: cleanupTrees,
  uninstall: restoreHostsFiles,
  cleanup: cleanupObjects,
  staticPod: mirrorStaticPod,
}
