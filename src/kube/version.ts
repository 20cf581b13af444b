import manifest from '../../package.json' with { type: 'json' }

/** The version of everything, as package.json says it: program, image, chart. */
export const programVersion = manifest.version
