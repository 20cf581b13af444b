// What the rest of the program knows of the mirror.
export { mirrorConfiguration } from './config.ts'
export { cleanUp } from './node-files/cleanup.ts'
export { waitForCleanup } from './node-files/cleanup-wait.ts'
export { writeConfiguration } from './node-files/writer.ts'
export { startMirror } from './node-part.ts'
export { boolOf, type RegistryFlags, upstreamDefaults, withFlags } from './registry-flags.ts'
export type { MirrorSettings } from './settings.ts'
export { type MirrorPlace, settingsOf, slowPatterns } from './settings-of.ts'
