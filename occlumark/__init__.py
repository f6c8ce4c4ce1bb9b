"""68 facial landmarks that survive occlusion, each with its visibility."""
