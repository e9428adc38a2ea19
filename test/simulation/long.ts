/** Whether there are hours for it: `npm run test:long`. A page has no environment, and minutes. */
export const LONG = typeof process === 'object' && process.env.LONG != null
