/**
 * @file The figures of the paper's authors, as data: what `backlight reproduce` puts beside its own. VOC2007 test,
 * fully convolutional Caffe VGG16 and ResNet50 fine-tuned to VOC's 20 classes (COCO's 80 in the benchmark).
 */

export const sources = {
  depth:
    "Per-layer pointing accuracy on VOC2007 test, all, in %: recorded in the experiment branch of the authors " +
    "(ruthcfong/TorchRay, branch normgrad, commit 832524e, November 2019); it may differ from the printed paper",
  benchmark:
    "Pointing accuracy in %: docs/pointing.csv of facebookresearch/TorchRay v1.0.0, by the same authors; each method " +
    "at its usual layer",
} as const;

/** The layers of the figures, shallow to deep. */
export const paperLayers = {
  vgg16: ["features.3", "features.8", "features.15", "features.22", "features.29"],
  resnet50: ["layer1", "layer2", "layer3", "layer4"],
} as const;

export type PaperModel = keyof typeof paperLayers;

/** What is added to a method's name where the net took a step of training first. */
export const META = " + meta";

/** By Backlight's name of the method; the authors' step of meta-saliency is 1e-4 (inferred from their defaults). */
export const paperDepth: Readonly<Record<string, Readonly<Record<PaperModel, readonly number[]>>>> = {
  "contrastive-excitation-backprop": {
    vgg16: [75.997, 75.707, 75.653, 77.74, 82.117],
    resnet50: [88.073, 89.327, 90.722, 89.735],
  },
  "excitation-backprop": {
    vgg16: [73.782, 73.756, 73.681, 75.32, 77.578],
    resnet50: [82.129, 83.304, 84.524, 84.555],
  },
  "grad-cam": { vgg16: [59.072, 58.35, 55.421, 58.151, 86.642], resnet50: [54.451, 52.873, 66.292, 90.372] },
  gradient: { vgg16: [76.415, 78.116, 80.649, 82.091, 39.528], resnet50: [78.599, 83.924, 82.786, 18.019] },
  "gradient-sum": { vgg16: [75.507, 76.842, 74.177, 66.369, 55.581], resnet50: [79.594, 80.046, 70.437, 6.718] },
  "guided-backprop": { vgg16: [75.383, 72.592, 70.552, 73.107, 25.494], resnet50: [76.874, 77.696, 82.317, 18.019] },
  "guided:bias:sum": {
    vgg16: [74.108, 74.321, 75.111, 75.753, 50.958],
    resnet50: [26.723, 23.333, 12.62, 6.718],
  },
  "linear-approximation": {
    vgg16: [81.499, 83.012, 83.11, 84.617, 86.486],
    resnet50: [83.281, 85.528, 85.595, 90.241],
  },
  "norm-grad": { vgg16: [78.859, 81.01, 81.867, 81.925, 77.689], resnet50: [81.853, 84.045, 84.613, 78.765] },
  "norm-grad-selective": {
    vgg16: [81.393, 81.372, 81.942, 84.845, 86.022],
    resnet50: [82.27, 86.304, 86.891, 87.439],
  },
  [`norm-grad${META}`]: { vgg16: [78.991, 81.163, 81.843, 81.928, 78.212], resnet50: [81.596, 84.667, 85.823, 80.883] },
  [`norm-grad-selective${META}`]: {
    vgg16: [81.466, 81.314, 81.639, 84.724, 86.101],
    resnet50: [81.809, 86.28, 88.088, 88.634],
  },
};

/** Columns of the benchmark: every object, and the difficult ones. */
export const benchmarkColumns = [
  "VOC VGG16 all",
  "VOC VGG16 difficult",
  "VOC ResNet50 all",
  "VOC ResNet50 difficult",
  "COCO VGG16 all",
  "COCO VGG16 difficult",
  "COCO ResNet50 all",
  "COCO ResNet50 difficult",
] as const;

/** By Backlight's name, in the order of the columns. */
export const benchmark: Readonly<Record<string, readonly number[]>> = {
  centre: [69.6, 42.4, 69.6, 42.4, 27.8, 19.5, 27.8, 19.5],
  gradient: [76.3, 56.9, 72.3, 56.8, 37.7, 31.4, 35.0, 29.4],
  deconvnet: [67.5, 44.2, 68.6, 44.7, 30.7, 23.0, 30.0, 21.9],
  "guided-backprop": [75.9, 53.0, 77.2, 59.4, 39.1, 31.4, 42.1, 35.3],
  "excitation-backprop": [77.1, 56.6, 84.5, 70.8, 39.8, 32.8, 49.6, 43.9],
  "contrastive-excitation-backprop": [79.9, 66.5, 90.7, 82.1, 49.7, 44.3, 58.5, 53.6],
  "grad-cam": [86.6, 74.0, 90.4, 82.3, 54.2, 49.0, 57.3, 52.3],
};

/** What a reader must know before holding one column against the other. */
export const comparability = {
  comparable: [
    "which methods collapse at which depth, and which stay flat over it",
    "which method is better than which at one layer of one net, where the intervals are apart",
    "whether a map depends on the class (rho), and in which direction the step of meta-saliency moves it",
  ],
  notComparable: [
    "absolute accuracies: the nets, their training, the images and the classes are others",
    "the centre baseline, and so any accuracy against it: it says how centred the dataset's objects are",
    "layers by name: they are matched by depth alone, shallowest to deepest",
    "rho: no figures of class sensitivity by the authors are published",
    "combinations of layers: the authors' weights are known, their accuracies are not",
  ],
} as const;
