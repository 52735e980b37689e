/** Tokens that CLIP reads at once. */
export const CHUNK = 75;
