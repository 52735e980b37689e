declare module "virtual:contract" {
  /** What a request field allows, by the schemas of the OpenAPI document. */
  export interface Bounds {
    type?: string;
    default?: unknown;
    enum?: (string | number)[];
    minimum?: number;
    maximum?: number;
    exclusiveMinimum?: number;
    exclusiveMaximum?: number;
    maxLength?: number;
  }
  export const BOUNDS: Record<string, Record<string, Bounds>>;
  /** Every type of model file. */
  export const ASSET_TYPES: string[];
  /** Every `resource:action`. */
  export const PERMISSIONS: string[];
  /** What a checkpoint can predict. */
  export const PREDICTIONS: string[];
}
