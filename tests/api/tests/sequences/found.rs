//! Every disagreement that the random sequences have found, cut down.
