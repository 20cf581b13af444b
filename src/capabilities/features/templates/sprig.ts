// Functions of sprig in templates of rules; those that are not here are refused by name when a template is read.

import type { GoFunction } from './functions.ts'
import { sprigText } from './sprig-text.ts'
import { sprigValues } from './sprig-values.ts'

/** Those that need no clock, no chance, no network and no environment, so that a rule means the same each time. */
export const sprig: ReadonlyMap<string, GoFunction> = new Map([...sprigText, ...sprigValues])
