// What is had of this folder from outside, loaded by `capability.ts` where it is asked for: nothing of libp2p or gRPC comes with it.
export { type NodeWish, nodeSettings, platforms, standardTalosPart } from './node-settings.ts'
export { type NodeText, nodeTexts, printedTexts } from './node-texts.ts'
export { writeConfiguration } from './writer.ts'
