"""How each dataset lays its clips out on disk."""
