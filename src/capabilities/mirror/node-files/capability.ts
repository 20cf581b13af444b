// What is had of this folder from outside, as `#capabilities/mirror/node-files`: it is small, and nothing of libp2p or gRPC comes with it.
export { cleanUp } from './cleanup.ts'
export { waitForCleanup } from './cleanup-wait.ts'
export { FileFault } from './file-operations.ts'
export { checkHostsFiles, type HostsFileFact } from './hosts-check.ts'
export { type NodeWish, nodeSettings, platforms, standardTalosPart } from './node-settings.ts'
export { type NodeText, nodeTexts, printedTexts } from './node-texts.ts'
export { writeConfiguration } from './writer.ts'
